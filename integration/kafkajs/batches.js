// SPDX-License-Identifier: BSD-2-Clause
// suite: timeout=90
//
// eachBatch with offsets resolved and committed by hand, and what a group tells of its rebalances when a member comes
// and goes.

const assert = require('node:assert')
const { name, client, producer, consumer, withAdmin, createTopic, until, main } = require('./rig')

const TOPIC = name('batches')
const GROUP = name('group')
const COUNT = 120
const PARTITIONS = 3

async function committed(kafka) {
  const [{ partitions }] = await withAdmin(kafka, admin => admin.fetchOffsets({ groupId: GROUP, topics: [TOPIC] }))
  return partitions.reduce((sum, { offset }) => sum + Math.max(Number(offset), 0), 0)
}

// A member that takes half of each batch, commits just that, and gets the rest again later.
async function byHand(kafka) {
  const member = consumer(kafka, GROUP)
  const seen = new Map()
  await member.connect()
  await member.subscribe({ topics: [TOPIC], fromBeginning: true })
  await member.run({
    autoCommit: false,
    eachBatchAutoResolve: false,
    eachBatch: async ({ batch, resolveOffset, heartbeat, isRunning, isStale, uncommittedOffsets }) => {
      const half = batch.messages.slice(0, Math.max(1, batch.messages.length >> 1))
      for (const message of half) {
        if (!isRunning() || isStale()) return
        const place = `${batch.partition}:${message.offset}`
        seen.set(place, (seen.get(place) ?? 0) + 1)
        resolveOffset(message.offset)
        await heartbeat()
      }
      const last = half[half.length - 1].offset
      assert(uncommittedOffsets().topics.length <= 1)
      await member.commitOffsets([{ topic: TOPIC, partition: batch.partition, offset: `${Number(last) + 1}` }])
    },
  })
  await until('all records', () => seen.size === COUNT)
  await until('the offsets', async () => (await committed(kafka)) === COUNT)
  assert([...seen.values()].every(times => times === 1), 'each record came once')
  await member.disconnect()
}

// The first member hears of the rebalance, joins again with less, and has all again when the other is gone.
async function rebalances(kafka) {
  const heard = []
  const first = consumer(kafka, GROUP)
  const second = consumer(kafka, GROUP)
  const shares = new Map()
  for (const [who, member] of [['first', first], ['second', second]]) {
    member.on(member.events.REBALANCING, ({ payload }) => {
      assert.strictEqual(payload.groupId, GROUP)
      heard.push(`${who} rebalances`)
    })
    member.on(member.events.GROUP_JOIN, ({ payload }) => {
      assert.strictEqual(payload.groupId, GROUP)
      shares.set(who, payload.memberAssignment[TOPIC] ?? [])
      heard.push(`${who} joined`)
    })
    await member.connect()
    await member.subscribe({ topics: [TOPIC] })
  }
  await first.run({ eachMessage: async () => {} })
  await until('the first alone', () => shares.get('first')?.length === PARTITIONS)
  await second.run({ eachMessage: async () => {} })
  await until('two shares', () => (shares.get('second')?.length ?? 0) > 0 && shares.get('first').length < PARTITIONS)
  assert(heard.includes('first rebalances'), heard.join())
  assert.deepStrictEqual([...shares.get('first'), ...shares.get('second')].sort(), [0, 1, 2])
  heard.length = 0
  await second.disconnect()
  await until('the first alone again', () => shares.get('first').length === PARTITIONS)
  assert(heard.includes('first rebalances'), heard.join())
  await first.disconnect()
}

main(async () => {
  const kafka = client()
  await createTopic(kafka, TOPIC, PARTITIONS)
  const writer = producer(kafka)
  await writer.connect()
  for (let p = 0; p < PARTITIONS; p++) {
    const messages = Array.from({ length: COUNT / PARTITIONS }, (_, i) => ({ partition: p, value: `${i}` }))
    await writer.send({ topic: TOPIC, messages })
  }
  await writer.disconnect()
  await byHand(kafka)
  await rebalances(kafka)
})
