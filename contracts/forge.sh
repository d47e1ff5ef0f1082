# Sourced by test.sh and check.sh: finds the Forge binary itself, because the npm shim is a parent process that can
# be left behind. Sets $forge.
forge=$(node -p "require.resolve('@foundry-rs/forge-' + process.platform + '-' + ({x64: 'amd64'}[process.arch] || process.arch) + '/bin/forge')") || {
    echo "contracts: Forge is not installed; run make setup" >&2
    exit 2
}
