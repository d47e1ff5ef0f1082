#!/usr/bin/env node
// Prints what the ledger needs in order to deploy and call a contract without Foundry: ABI, creation bytecode and the
// hash-relevant runtime bytecode, from the last compile. Leaves out everything that depends on the machine.
// Usage: abi-copy.cjs LogAnchor
'use strict'

const fs = require('node:fs')
const path = require('node:path')

const name = process.argv[2]
const artefact = JSON.parse(fs.readFileSync(path.join(__dirname, 'out', `${name}.sol`, `${name}.json`), 'utf8'))
const copy = {
  contract: name,
  abi: artefact.abi,
  bytecode: artefact.bytecode.object,
  runtime_bytecode: artefact.deployedBytecode.object
}
process.stdout.write(JSON.stringify(copy, null, 1) + '\n')
