// SPDX-License-Identifier: BSD-2-Clause
//
// keyed.js TOPIC RECORDS KEYS: what `keyed read` of keyed.c does, with kafkajs.

const assert = require('node:assert')
const { Kafka, logLevel } = require('kafkajs')

const [topic, records, keys] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])]
const keyOf = i => (Math.imul(i, 2654435761) >>> 0) % keys

async function main() {
  const last = new Int32Array(keys).fill(-1)
  const seen = new Int32Array(keys).fill(-1)
  for (let i = 0; i < records; i++) last[keyOf(i)] = i
  const kafka = new Kafka({ brokers: [process.env.BOOTSTRAP], logLevel: logLevel.ERROR })
  const consumer = kafka.consumer({ groupId: `keyed-js-${process.pid}`, maxBytesPerPartition: 4 << 20 })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  let offset = -1
  let number = -1
  let count = 0
  let finish
  const finished = new Promise((resolve, reject) => (finish = { resolve, reject }))
  await consumer.run({
    autoCommit: false,
    eachBatch: async ({ batch }) => {
      try {
        for (const message of batch.messages) {
          const at = Number(message.offset)
          assert.ok(at > offset, `${at} after ${offset}`)
          offset = at
          const i = parseInt(message.value.toString('latin1', 0, 12), 10)
          assert.ok(i > number && i < records, `record ${i} after ${number}`)
          number = i
          assert.strictEqual(message.key.toString(), `key-${keyOf(i)}`)
          seen[keyOf(i)] = i
          count++
        }
        if (number === records - 1) finish.resolve()
      } catch (error) {
        finish.reject(error)
      }
    },
  })
  await finished
  assert.deepStrictEqual(seen, last)
  console.log(count)
  await consumer.disconnect()
}

main().catch(error => {
  console.error(error)
  process.exit(1)
})
