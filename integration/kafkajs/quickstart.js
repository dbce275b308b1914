// SPDX-License-Identifier: BSD-2-Clause
//
// The program in the README, copied and pasted: its first JavaScript block, with the broker's address put in, must run
// to its end and print nothing on standard error.

const assert = require('node:assert')
const fs = require('node:fs')
const path = require('node:path')
const { spawn } = require('node:child_process')
const { BOOTSTRAP, main } = require('./rig')

const README = path.join(__dirname, '..', '..', 'README.md')

main(async () => {
  const block = fs.readFileSync(README, 'utf8').match(/^```js\n([\s\S]*?)^```/m)
  assert.ok(block, 'README.md has a JavaScript block')
  const source = block[1].replaceAll('localhost:9092', BOOTSTRAP)
  assert.ok(source.includes(BOOTSTRAP), 'the block names localhost:9092')

  // It must lie below node_modules' parent, or an `import` would not find kafkajs.
  const kind = /^import /m.test(source) ? 'mjs' : 'cjs'
  const folder = fs.mkdtempSync(path.join(__dirname, '..', '.cache', 'quickstart-'))
  try {
    const file = path.join(folder, `quickstart.${kind}`)
    fs.writeFileSync(file, source)
    const program = spawn(process.execPath, [file], { stdio: ['ignore', 'inherit', 'pipe'] })
    let complaints = ''
    program.stderr.on('data', data => (complaints += data))
    const status = await new Promise(resolve => program.on('close', resolve))
    assert.strictEqual(complaints, '')
    assert.strictEqual(status, 0)
  } finally {
    fs.rmSync(folder, { recursive: true })
  }
})
