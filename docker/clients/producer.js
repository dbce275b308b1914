// SPDX-License-Identifier: BSD-2-Clause
// Writes one trade a second to the topic `trades`, or COUNT of them and ends.
const { Kafka, logLevel } = require('kafkajs')

const kafka = new Kafka({ clientId: 'producer', brokers: [process.env.BROKER || 'localhost:9092'], logLevel: logLevel.ERROR })
const symbols = ['ACME', 'INIT', 'GLOB', 'UMBR']
const count = Number(process.env.COUNT || Infinity)

async function main() {
  const producer = kafka.producer()
  await producer.connect()
  for (let i = 0; i < count; i++) {
    const symbol = symbols[i % symbols.length]
    const value = JSON.stringify({ symbol, price: Math.round(10000 * (1 + Math.random())) / 100, quantity: 1 + (i % 50) })
    await producer.send({ topic: 'trades', messages: [{ key: symbol, value }] })
    console.log(`sent ${value}`)
    if (count === Infinity) await new Promise((resolve) => setTimeout(resolve, 1000))
  }
  await producer.disconnect()
}

main().catch((error) => {
  console.error(error)
  process.exit(1)
})
