// SPDX-License-Identifier: BSD-2-Clause
// Prints every trade from the beginning; with COUNT it ends after so many.
const { Kafka, logLevel } = require('kafkajs')

const kafka = new Kafka({ clientId: 'consumer', brokers: [process.env.BROKER || 'localhost:9092'], logLevel: logLevel.ERROR })
const count = Number(process.env.COUNT || Infinity)

async function main() {
  const consumer = kafka.consumer({ groupId: 'printer' })
  await consumer.connect()
  await consumer.subscribe({ topic: 'trades', fromBeginning: true })
  let seen = 0
  await new Promise((resolve) =>
    consumer.run({
      eachMessage: async ({ partition, message }) => {
        console.log(`partition ${partition} offset ${message.offset} ${message.key}: ${message.value}`)
        if (++seen >= count) resolve()
      },
    })
  )
  await consumer.disconnect()
}

main().catch((error) => {
  console.error(error)
  process.exit(1)
})
