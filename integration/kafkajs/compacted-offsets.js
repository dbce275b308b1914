// SPDX-License-Identifier: BSD-2-Clause
//
// Committed offsets live in a compacted topic: old commits go, and after a restart each group stands where it committed last.
// suite: timeout=120

const assert = require('node:assert')
const { ConfigResourceTypes } = require('kafkajs')
const { name, client, producer, consumer, createTopic, withAdmin, sleep, until, control, main } = require('./rig')

const OFFSETS = '__consumer_offsets'
const COMMITS = 30

// How many commits of our groups __consumer_offsets holds.
async function countCommits(kafka) {
  const reader = consumer(kafka, name(`raw-${Math.random().toString(36).slice(2)}`))
  const ends = new Map()
  await withAdmin(kafka, async admin => {
    for (const { partition, low, high } of await admin.fetchTopicOffsets(OFFSETS))
      if (Number(high) > Number(low)) ends.set(partition, Number(high))
  })
  let count = 0
  await reader.connect()
  await reader.subscribe({ topics: [OFFSETS], fromBeginning: true })
  await reader.run({
    autoCommit: false,
    eachBatch: async ({ batch }) => {
      // A key begins with its kind: 0 and 1 are offsets.
      count += batch.messages.filter(({ key }) => key && key.readInt16BE(0) < 2 && key.includes(name('group-'))).length
      if (Number(batch.lastOffset()) + 1 >= ends.get(batch.partition)) ends.delete(batch.partition)
    },
  })
  await until('the end of the offsets', () => ends.size === 0)
  await reader.disconnect()
  return count
}

main(async () => {
  const kafka = client()
  const topic = await createTopic(kafka, name('committed'))
  const writer = producer(kafka)
  await writer.connect()
  await writer.send({ topic, messages: [...Array(100).keys()].map(i => ({ value: String(i) })) })
  await writer.disconnect()

  const groups = []
  for (const groupId of [name('group-0'), name('group-1')]) {
    const member = consumer(kafka, groupId)
    let joined = false
    member.on(member.events.GROUP_JOIN, () => (joined = true))
    await member.connect()
    await member.subscribe({ topics: [topic] })
    await member.run({ autoCommit: false, eachMessage: async () => {} })
    await until(`${groupId} to be there`, () => joined)
    groups.push({ groupId, member, offset: 0 })
  }
  async function commit() {
    for (const [i, group] of groups.entries()) {
      group.offset = (group.offset + 1 + i) % 100
      await group.member.commitOffsets([{ topic, partition: 0, offset: String(group.offset) }])
    }
  }

  await withAdmin(kafka, async admin => {
    async function expect() {
      for (const { groupId, offset } of groups) {
        const [{ partitions }] = await admin.fetchOffsets({ groupId, topics: [topic] })
        assert.strictEqual(partitions[0].offset, String(offset), groupId)
      }
    }
    const configEntries = [
      { name: 'cleanup.policy', value: 'compact' },
      { name: 'segment.ms', value: '100' },
      { name: 'min.cleanable.dirty.ratio', value: '0.01' },
    ]
    await admin.alterConfigs({ resources: [{ type: ConfigResourceTypes.TOPIC, name: OFFSETS, configEntries }] })
    for (let i = 0; i < COMMITS; i++) await commit()
    await until('old commits to go', async () => {
      await sleep(150)
      await commit()
      return (await countCommits(kafka)) < COMMITS
    })
    await expect()
    for (const { member } of groups) await member.disconnect()
    await sleep(300) // the last one's leave is written, too
    await control('restart')
    // Kafka's coordinator is loading meanwhile.
    await until('the coordinator', () => admin.fetchOffsets({ groupId: groups[0].groupId, topics: [topic] }).catch(() => false))
    await expect()
  })
})
