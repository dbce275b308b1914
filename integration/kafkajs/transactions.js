// SPDX-License-Identifier: BSD-2-Clause
// suite: timeout=120
//
// Transactions: all records of one and the offsets that it commits count together, or not at all; a new producer with the
// same transactional id keeps the old one out. (transactions-restart.js restarts the broker meanwhile.)

const assert = require('node:assert')
const { name, client, producer, consumer, withAdmin, createTopic, until, readAll, main } = require('./rig')

const INPUT = name('input')
const OUTPUT = name('output')
const AUDIT = name('audit')
const GROUP = name('group')
const COUNT = 60

const values = records => records.map(record => record.value.toString())
const transactional = (kafka, id) =>
  producer(kafka, { transactionalId: name(id), maxInFlightRequests: 1, idempotent: true })

async function committedOffset(kafka, topic) {
  const [{ partitions }] = await withAdmin(kafka, admin => admin.fetchOffsets({ groupId: GROUP, topics: [topic] }))
  return Number(partitions[0].offset)
}

// Reads INPUT and writes each record to two topics; every third transaction is aborted and done again.
async function transform(kafka) {
  const writer = transactional(kafka, 'transform')
  const reader = consumer(kafka, GROUP, { readUncommitted: false })
  await writer.connect()
  await reader.connect()
  await reader.subscribe({ topics: [INPUT], fromBeginning: true })
  let done = 0
  const once = async (message, finish) => {
    const transaction = await writer.transaction()
    await transaction.send({ topic: OUTPUT, messages: [{ key: message.key, value: message.value }] })
    await transaction.send({ topic: AUDIT, messages: [{ value: message.value }] })
    await transaction.sendOffsets({
      consumerGroupId: GROUP,
      topics: [{ topic: INPUT, partitions: [{ partition: 0, offset: `${Number(message.offset) + 1}` }] }],
    })
    await finish(transaction)
  }
  await reader.run({
    autoCommit: false,
    eachMessage: async ({ message }) => {
      if (Number(message.offset) % 3 === 2) {
        const before = await committedOffset(kafka, INPUT)
        await once(message, transaction => transaction.abort())
        assert.strictEqual(await committedOffset(kafka, INPUT), before)
      }
      await once(message, transaction => transaction.commit())
      done++
    },
  })
  await until('the transform', () => done === COUNT, 60)
  await reader.disconnect()
  await writer.disconnect()
}

async function fencing(kafka) {
  const topic = await createTopic(kafka, name('fenced'))
  const old = transactional(kafka, 'fenced')
  await old.connect()
  const open = await old.transaction()
  await open.send({ topic, messages: [{ value: 'old' }] })
  const young = transactional(kafka, 'fenced')
  await young.connect()
  const transaction = await young.transaction()
  await transaction.send({ topic, messages: [{ value: 'young' }] })
  await assert.rejects(open.commit())
  await transaction.commit()
  assert.deepStrictEqual(values(await readAll(kafka, topic, 1)), ['young'])
  await old.disconnect()
  await young.disconnect()
}

main(async () => {
  const kafka = client({ retry: { retries: 50, initialRetryTime: 50, maxRetryTime: 500 } })
  for (const topic of [INPUT, OUTPUT, AUDIT]) await createTopic(kafka, topic)
  const seed = producer(kafka)
  await seed.connect()
  const wanted = [...Array(COUNT).keys()].map(String)
  await seed.send({ topic: INPUT, messages: wanted.map(value => ({ key: value, value })) })
  await seed.disconnect()
  await transform(kafka)
  assert.deepStrictEqual(values(await readAll(kafka, OUTPUT, COUNT)), wanted)
  assert.deepStrictEqual(values(await readAll(kafka, AUDIT, COUNT)), wanted)
  assert.strictEqual(await committedOffset(kafka, INPUT), COUNT)
  const all = await readAll(kafka, OUTPUT, COUNT + COUNT / 3, { readUncommitted: true })
  assert.strictEqual(all.length, COUNT + COUNT / 3)
  await fencing(kafka)
})
