// SPDX-License-Identifier: BSD-2-Clause
//
// kafkajs TOPIC RECORDS SIZE: how fast kafkajs produces and reads. Prints one line of JSON, in MB of values per second.

const { Kafka, Partitioners, logLevel } = require('kafkajs')

const [topic, records, size] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])]
const BATCH = 500 // messages per send
const kafka = new Kafka({ brokers: [process.env.BOOTSTRAP], logLevel: logLevel.NOTHING })

async function produce() {
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner })
  const messages = Array.from({ length: BATCH }, () => ({ value: Buffer.alloc(size, 120) }))
  await producer.connect()
  const begun = process.hrtime.bigint()
  for (let sent = 0; sent < records; sent += BATCH) await producer.send({ topic, acks: 1, messages })
  const seconds = Number(process.hrtime.bigint() - begun) / 1e9
  await producer.disconnect()
  return seconds
}

async function consume() {
  const consumer = kafka.consumer({ groupId: `${topic}-kafkajs` })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  let left = records
  let begun = 0n
  const seconds = await new Promise((resolve, reject) => {
    consumer.on(consumer.events.CRASH, event => event.payload.restart || reject(event.payload.error))
    consumer
      .run({
        eachBatch: async ({ batch }) => {
          if (begun === 0n) begun = process.hrtime.bigint()
          left -= batch.messages.length
          if (left <= 0) resolve(Number(process.hrtime.bigint() - begun) / 1e9)
        },
      })
      .catch(reject)
  })
  await consumer.disconnect()
  return seconds
}

async function main() {
  const megabytes = (records * size) / 1e6
  const produced = await produce()
  const consumed = await consume()
  console.log(JSON.stringify({ produce: megabytes / produced, consume: megabytes / consumed }))
}

main().catch(error => {
  console.error(error)
  process.exit(1)
})
