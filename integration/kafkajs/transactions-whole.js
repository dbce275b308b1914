// SPDX-License-Identifier: BSD-2-Clause
// suite: timeout=180 warnings=yes
//
// The broker is killed again and again while transactions write to two topics and commit an offset. Afterwards each is
// there as a whole or not at all, and none that was acknowledged is missing.

const assert = require('node:assert')
const { name, client, producer, consumer, withAdmin, createTopic, sleep, until, control, main } = require('./rig')

const TOPICS = [name('left'), name('right')]
const INPUT = name('input')
const GROUP = name('group')
const EACH = 3
const KILLS = 8

async function start(kafka) {
  const writer = producer(kafka, { transactionalId: name('writer'), maxInFlightRequests: 1, idempotent: true })
  await writer.connect()
  return writer
}

async function one(writer, number) {
  const transaction = await writer.transaction()
  for (const topic of TOPICS)
    for (let i = 0; i < EACH; i++) await transaction.send({ topic, messages: [{ partition: i % 2, value: `${number}` }] })
  await transaction.sendOffsets({
    consumerGroupId: GROUP,
    topics: [{ topic: INPUT, partitions: [{ partition: 0, offset: `${number}` }] }],
  })
  await transaction.commit()
}

async function work(kafka, state) {
  let writer
  for (let number = 1; !state.stop; number++) {
    try {
      writer = writer ?? (await start(kafka))
      await one(writer, number)
      state.done.push(number)
    } catch {
      await writer?.disconnect().catch(() => {})
      writer = undefined
      await sleep(20)
    }
  }
  await writer?.disconnect().catch(() => {})
}

// number -> how many of its records are committed; up to the last transaction, whose number is `last`.
async function counts(kafka, topic, last) {
  const reader = consumer(kafka, name(`reader-${topic}`))
  const found = new Map()
  await reader.connect()
  await reader.subscribe({ topics: [topic], fromBeginning: true })
  await reader.run({
    eachMessage: async ({ message }) => {
      const number = Number(message.value)
      found.set(number, (found.get(number) ?? 0) + 1)
    },
  })
  await until(`the end of ${topic}`, () => found.get(last) === EACH)
  await reader.disconnect()
  return found
}

main(async () => {
  const patient = client({ retry: { retries: 60, initialRetryTime: 50, maxRetryTime: 500 } })
  const hasty = client({ retry: { retries: 3, initialRetryTime: 30, maxRetryTime: 200 } })
  for (const topic of [...TOPICS, INPUT]) await createTopic(patient, topic, 2)
  const state = { done: [], stop: false }
  const worker = work(hasty, state)
  for (let i = 0; i < KILLS; i++) {
    const before = state.done.length
    await until('transactions', () => state.done.length > before + 2)
    await sleep(Math.random() * 60)
    await control('kill')
    await control('start')
  }
  state.stop = true
  await worker
  const writer = await start(patient)
  const last = 1000000
  await one(writer, last)
  await writer.disconnect()
  const [left, right] = [await counts(patient, TOPICS[0], last), await counts(patient, TOPICS[1], last)]
  for (const number of state.done) assert.strictEqual(left.get(number), EACH, `${number} was acknowledged`)
  for (const [number, count] of left) assert.strictEqual(count, EACH, `${number} in part`)
  assert.deepStrictEqual([...left].sort(), [...right].sort())
  const [{ partitions }] = await withAdmin(patient, admin => admin.fetchOffsets({ groupId: GROUP, topics: [INPUT] }))
  assert.strictEqual(Number(partitions.find(({ partition }) => partition === 0).offset), last)
})
