// SPDX-License-Identifier: BSD-2-Clause
// suite: timeout=120 threads=yes
//
// A thousand topics: created in one request each hundred, listed, written, read back by one group.

const assert = require('node:assert')
const { name, client, producer, consumer, createTopics, until, withAdmin, main } = require('./rig')

const COUNT = 1000

main(async () => {
  const kafka = client({ requestTimeout: 60000 })
  const topics = [...Array(COUNT).keys()].map(i => name(`t${String(i).padStart(4, '0')}`))
  await withAdmin(kafka, async admin => {
    for (let i = 0; i < COUNT; i += 100) {
      await createTopics(admin, topics.slice(i, i + 100).map(topic => ({ topic, numPartitions: 1 })))
    }
    const listed = new Set(await admin.listTopics())
    assert.ok(topics.every(topic => listed.has(topic)))
  })

  const writer = producer(kafka)
  await writer.connect()
  await writer.sendBatch({ topicMessages: topics.map(topic => ({ topic, messages: [{ value: topic }] })) })
  await writer.disconnect()

  const seen = new Set()
  const reader = consumer(kafka, name('group'))
  await reader.connect()
  await reader.subscribe({ topics, fromBeginning: true })
  await reader.run({
    eachMessage: async ({ topic, message }) => {
      assert.strictEqual(String(message.value), topic)
      seen.add(topic)
    },
  })
  await until('a record of each topic', () => seen.size === COUNT, 60)
  await reader.disconnect()

  await withAdmin(kafka, async admin => {
    const offsets = await admin.fetchOffsets({ groupId: name('group') })
    assert.strictEqual(offsets.length, COUNT)
    for (let i = 0; i < COUNT; i += 250) await admin.deleteTopics({ topics: topics.slice(i, i + 250), timeout: 30000 })
    await until('no topic', async () => !(await admin.listTopics()).some(topic => topic.startsWith(name(''))))
  })
})
