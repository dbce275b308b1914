// SPDX-License-Identifier: BSD-2-Clause
//
// What the broker said it did is done: a created topic takes records at once, added partitions too, and a deleted topic
// is gone, without waiting, without a retry, without a line in the client's log.

const assert = require('node:assert')
const { name, client, producer, withAdmin, main } = require('./rig')

main(async () => {
  const kafka = client({ retry: { retries: 0 } })
  await withAdmin(kafka, async admin => {
    for (let i = 0; i < 20; i++) {
      const topic = name(`topic-${i}`)
      await admin.createTopics({ topics: [{ topic, numPartitions: 2 }] })
      const writer = producer(kafka, { allowAutoTopicCreation: false, retry: { retries: 0 } })
      await writer.connect()
      await writer.send({ topic, messages: [{ partition: 1, value: 'x' }] })
      await writer.disconnect()
      await admin.createPartitions({ topicPartitions: [{ topic, count: 3 }] })
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
      assert.strictEqual(topics[0].partitions.length, 3)
      await admin.deleteTopics({ topics: [topic] })
      assert.ok(!(await admin.listTopics()).includes(topic))
    }
  })
  assert.deepStrictEqual(kafka.problems, [])
})
