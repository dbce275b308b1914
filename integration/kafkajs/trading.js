// SPDX-License-Identifier: BSD-2-Clause
// suite: timeout=120 threads=yes
//
// The trading platform of examples/trading runs unmodified: three times in a row, and again after a broker restart.

const assert = require('node:assert')
const path = require('node:path')
const { BOOTSTRAP, name, control, child, main } = require('./rig')

const PROGRAM = path.join(__dirname, '..', '..', 'examples', 'trading', 'trading.js')

async function run() {
  const program = child(PROGRAM, [], {
    BROKERS: BOOTSTRAP,
    TOPIC: name('trades'),
    NODE_PATH: path.join(__dirname, '..', 'node_modules'),
  })
  const status = await program.ended
  console.log(program.lines.join('\n'))
  assert.strictEqual(status, 0)
}

main(async () => {
  for (let i = 0; i < 3; i++) await run()
  await control('restart')
  await run()
})
