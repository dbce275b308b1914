// SPDX-License-Identifier: BSD-2-Clause
//
// The same as producer.c on kafkajs: arguments TOPIC PARTITIONS ID ACKS REPORT. It awaits each answer, so it has one
// request with a record for each partition in flight. `q` is not answered.

const fs = require('node:fs')
const { Kafka, Partitioners, logLevel } = require('kafkajs')

const [topic, partitions, id, acks, path] = process.argv.slice(2)
let stopping = false
process.on('SIGTERM', () => (stopping = true))

async function main() {
  const report = fs.openSync(path, 'w')
  const kafka = new Kafka({
    brokers: [process.env.BOOTSTRAP],
    logLevel: logLevel.NOTHING,
    retry: { retries: 1000, initialRetryTime: 20, maxRetryTime: 200 },
  })
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner })
  await producer.connect()
  const places = [...Array(Number(partitions)).keys()]
  for (let sequence = 0; !stopping; sequence++) {
    const messages = places.map(partition => ({ partition, value: `${id} ${partition} ${sequence} xxxx` }))
    const answers = await producer.send({ topic, acks: Number(acks), messages })
    const lines = answers.map(answer => `a ${answer.partition} ${answer.baseOffset} ${sequence}\n`)
    fs.writeSync(report, lines.join(''))
    await new Promise(resolve => setTimeout(resolve, 1))
  }
  await producer.disconnect()
}

main().catch(error => {
  console.error(error)
  process.exit(1)
})
