#!/usr/bin/env node
// A compiler for Forge out of the npm package `solc`: it prints a version line for `--version`, and otherwise
// passes the standard JSON on its standard input to the compiler. Leaves out every other option of native solc.
'use strict'

const fs = require('node:fs')

// solc-js leaves handlers behind that turn any later failure into noise; our own exit code must stand.
const solc = require('solc')
process.removeAllListeners('uncaughtException')
process.removeAllListeners('unhandledRejection')

if (process.argv.includes('--version')) {
  process.stdout.write(`solc, the solidity compiler commandline interface\nVersion: ${solc.version()}\n`)
} else {
  // Forge hands over every source in the JSON; a file that is not there is a compiler error, never a download.
  process.stdout.write(solc.compile(fs.readFileSync(0, 'utf8')))
}
