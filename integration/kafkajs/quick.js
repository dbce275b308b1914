// SPDX-License-Identifier: BSD-2-Clause
//
// The waits that hurt in tests are gone (the dev profile): a group's first join to its first record takes a fraction of
// a second, a killed member is replaced at once, and disconnecting does not wait for a long poll to end.

const assert = require('node:assert')
const { name, client, producer, createTopic, child, until, main } = require('./rig')

const TOPIC = name('quick')
const GROUP = name('group')

async function read(onRecord) {
  const reader = client().consumer({ groupId: GROUP }) // kafkajs' own defaults: it waits 5 s in a fetch
  const started = performance.now()
  await reader.connect()
  await reader.subscribe({ topics: [TOPIC], fromBeginning: true })
  await reader.run({ eachMessage: async () => onRecord(performance.now() - started) })
  return reader
}

async function victim() {
  await read(() => console.log('joined'))
  await until('death', () => false, 60)
}

async function scenario() {
  const kafka = client()
  await createTopic(kafka, TOPIC)
  const writer = producer(kafka)
  await writer.connect()
  await writer.send({ topic: TOPIC, messages: [{ value: 'x' }] })

  const dying = child(__filename, ['victim'])
  await until('the first member has the record', () => dying.lines.includes('joined'))
  dying.kill('SIGKILL')
  await dying.ended

  const times = []
  const reader = await read(ms => times.push(ms))
  await writer.send({ topic: TOPIC, messages: [{ value: 'y' }] })
  await until('the first record', () => times.length > 0)
  console.log(`first record ${times[0].toFixed(0)} ms after a predecessor was killed`)
  const stopping = performance.now()
  await reader.disconnect()
  const stopped = performance.now() - stopping
  console.log(`disconnected in ${stopped.toFixed(0)} ms`)
  await writer.disconnect()
  assert.ok(times[0] < 2000, `first record after ${times[0]} ms`)
  assert.ok(stopped < 1500, `disconnected in ${stopped} ms`)
}

main(process.argv[2] === 'victim' ? victim : scenario)
