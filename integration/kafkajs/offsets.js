// SPDX-License-Identifier: BSD-2-Clause
// suite: threads=yes
//
// Groups and their offsets by the admin client: list, describe, fetch, set, reset, delete; deleting records.

const assert = require('node:assert')
const { name, client, producer, consumer, createTopic, readAll, until, withAdmin, main } = require('./rig')

const TOPIC = name('offsets')
const GROUP = name('group')

main(async () => {
  const kafka = client({ retry: { retries: 3, initialRetryTime: 50 } })
  await createTopic(kafka, TOPIC, 2)
  const writer = producer(kafka)
  await writer.connect()
  for (const partition of [0, 1]) {
    const messages = [...Array(20).keys()].map(i => ({ partition, value: `${i}` }))
    await writer.send({ topic: TOPIC, messages })
  }
  await writer.disconnect()

  let count = 0
  const reader = consumer(kafka, GROUP)
  await reader.connect()
  await reader.subscribe({ topics: [TOPIC], fromBeginning: true })
  await reader.run({ eachMessage: async () => void count++ })
  await until('all records', () => count === 40)

  await withAdmin(kafka, async admin => {
    const fetch = async (options = {}) => {
      const answer = await admin.fetchOffsets({ groupId: GROUP, topics: [TOPIC], ...options })
      return answer[0].partitions.sort((a, b) => a.partition - b.partition).map(p => Number(p.offset))
    }
    const listed = (await admin.listGroups()).groups.find(group => group.groupId === GROUP)
    assert.strictEqual(listed.protocolType, 'consumer')
    const [group] = (await admin.describeGroups([GROUP])).groups
    assert.strictEqual(group.state, 'Stable')
    assert.strictEqual(group.protocol, 'RoundRobinAssigner')
    assert.strictEqual(group.members.length, 1)
    assert.strictEqual(group.members[0].clientId, name('client'))
    assert.match(group.members[0].clientHost, /127\.0\.0\.1/)
    await assert.rejects(admin.deleteGroups([GROUP]), 'a live group cannot be deleted')
    await assert.rejects(admin.setOffsets({ groupId: GROUP, topic: TOPIC, partitions: [{ partition: 0, offset: '1' }] }))

    await reader.disconnect()
    assert.deepStrictEqual(await fetch(), [20, 20], 'disconnecting commits')
    assert.strictEqual((await admin.describeGroups([GROUP])).groups[0].state, 'Empty')

    await admin.setOffsets({
      groupId: GROUP,
      topic: TOPIC,
      partitions: [
        { partition: 0, offset: '7' },
        { partition: 1, offset: '13' },
      ],
    })
    assert.deepStrictEqual(await fetch(), [7, 13])
    await admin.resetOffsets({ groupId: GROUP, topic: TOPIC, earliest: true })
    assert.deepStrictEqual(await fetch({ resolveOffsets: true }), [0, 0])
    await admin.resetOffsets({ groupId: GROUP, topic: TOPIC, earliest: false })
    assert.deepStrictEqual(await fetch({ resolveOffsets: true }), [20, 20])
    const all = await admin.fetchOffsets({ groupId: GROUP })
    assert.deepStrictEqual(all.map(({ topic }) => topic), [TOPIC], 'without topics: all that the group has')

    await admin.deleteGroups([GROUP])
    assert.ok(!(await admin.listGroups()).groups.some(({ groupId }) => groupId === GROUP))
    assert.deepStrictEqual(await fetch(), [-1, -1])
    assert.strictEqual((await admin.describeGroups([GROUP])).groups[0].state, 'Dead')

    await admin.deleteTopicRecords({ topic: TOPIC, partitions: [{ partition: 0, offset: '15' }] })
    await admin.deleteTopicRecords({ topic: TOPIC, partitions: [{ partition: 1, offset: '-1' }] })
    const ends = (await admin.fetchTopicOffsets(TOPIC)).sort((a, b) => a.partition - b.partition)
    assert.deepStrictEqual(ends.map(({ low, high }) => [low, high]), [['15', '20'], ['20', '20']])
    await assert.rejects(admin.deleteTopicRecords({ topic: TOPIC, partitions: [{ partition: 0, offset: '21' }] }))
  })
  const left = await readAll(kafka, TOPIC, 5)
  assert.deepStrictEqual(left.map(record => Number(record.offset)), [15, 16, 17, 18, 19])
})
