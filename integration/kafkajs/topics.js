// SPDX-License-Identifier: BSD-2-Clause
//
// The life of a topic by the admin client: create, list, describe, add partitions, delete, create again.

const assert = require('node:assert')
const { name, client, producer, createTopics, readAll, until, withAdmin, main } = require('./rig')

main(async () => {
  const kafka = client()
  await withAdmin(kafka, async admin => {
    const [a, b, c] = ['a', 'b', 'c'].map(name)
    const counts = async topics =>
      (await admin.fetchTopicMetadata({ topics })).topics.map(topic => topic.partitions.length)

    await admin.createTopics({
      validateOnly: true,
      waitForLeaders: false,
      topics: [{ topic: c, numPartitions: 2 }],
    })
    assert.ok(!(await admin.listTopics()).includes(c), 'validation creates nothing')

    await createTopics(admin, [
      { topic: a, numPartitions: 2, replicationFactor: 1 },
      { topic: b, replicaAssignment: [{ partition: 0, replicas: [(await admin.describeCluster()).controller] }] },
      { topic: c },
    ])
    const listed = await admin.listTopics()
    assert.ok([a, b, c].every(topic => listed.includes(topic)))
    assert.deepStrictEqual(await counts([a]), [2])
    assert.deepStrictEqual(await counts([b]), [1])
    assert.deepStrictEqual(await counts([c]), [1], 'the default')

    const { topics } = await admin.fetchTopicMetadata({ topics: [a] })
    for (const partition of topics[0].partitions) {
      assert.strictEqual(partition.partitionErrorCode, 0)
      assert.ok(partition.leader >= 0)
      assert.deepStrictEqual(partition.replicas, [partition.leader])
      assert.deepStrictEqual(partition.isr, [partition.leader])
    }

    await admin.createPartitions({ topicPartitions: [{ topic: a, count: 5 }] })
    await until('five partitions', async () => (await counts([a]))[0] === 5)
    await assert.rejects(admin.createPartitions({ topicPartitions: [{ topic: a, count: 3 }] }))

    const writer = producer(kafka)
    await writer.connect()
    await writer.send({ topic: a, messages: [0, 1, 2, 3, 4].map(partition => ({ partition, value: 'old' })) })

    await admin.deleteTopics({ topics: [a, b] })
    await until('the topics are gone', async () => {
      const left = await admin.listTopics()
      return !left.includes(a) && !left.includes(b) && left.includes(c)
    })

    // A topic of the same name is a new one: empty, with new offsets.
    await createTopics(admin, [{ topic: a, numPartitions: 1 }])
    const [{ low, high }] = await admin.fetchTopicOffsets(a)
    assert.deepStrictEqual([low, high], ['0', '0'])
    await writer.disconnect()
    const fresh = producer(kafka)
    await fresh.connect()
    await fresh.send({ topic: a, messages: [{ value: 'new' }] })
    await fresh.disconnect()
    const got = await readAll(kafka, a, 1)
    assert.strictEqual(String(got[0].value), 'new')

    const cluster = await admin.describeCluster()
    assert.strictEqual(cluster.brokers.length, 1)
    assert.strictEqual(cluster.brokers[0].nodeId, cluster.controller)
    assert.ok(cluster.clusterId.length > 0)
  })
})
