// SPDX-License-Identifier: BSD-2-Clause
// suite: timeout=90 brokers=3
//
// Three brokers in one process: replicas and leaders are spread over them, and leaders and coordinators move while a
// producer and a group work. Nothing is lost, and the order within a partition holds.

const assert = require('node:assert')
const { name, client, producer, consumer, until, withAdmin, main } = require('./rig')

const TOPIC = name('moving')
const PARTITIONS = 3
const RECORDS = 600

async function leaders(admin) {
  const { topics } = await admin.fetchTopicMetadata({ topics: [TOPIC] })
  return topics[0].partitions.sort((a, b) => a.partitionId - b.partitionId).map(({ leader }) => leader)
}

async function create(admin) {
  await admin.createTopics({ topics: [{ topic: TOPIC, numPartitions: PARTITIONS, replicationFactor: 3 }] })
  const { brokers } = await admin.describeCluster()
  assert.deepStrictEqual(brokers.map(({ nodeId }) => nodeId).sort(), [1, 2, 3])
  assert.strictEqual(new Set(brokers.map(({ port }) => port)).size, 3)
  assert.deepStrictEqual((await leaders(admin)).sort(), [1, 2, 3])
  const { topics } = await admin.fetchTopicMetadata({ topics: [TOPIC] })
  for (const { replicas, isr } of topics[0].partitions) {
    assert.deepStrictEqual([...replicas].sort(), [1, 2, 3])
    assert.deepStrictEqual([...isr].sort(), [1, 2, 3])
  }
}

// Every partition's leader becomes the next broker; the group's coordinator goes round as well.
async function move(admin, round) {
  const next = (await leaders(admin)).map(leader => [leader % 3 + 1])
  await admin.alterPartitionReassignments({
    topics: [{ topic: TOPIC, partitionAssignment: next.map((replicas, partition) => ({ partition, replicas })) }],
  })
  assert.deepStrictEqual(await leaders(admin), next.flat())
  const { topics } = await admin.fetchTopicMetadata({ topics: ['__consumer_offsets'] })
  await admin.alterPartitionReassignments({
    topics: [{
      topic: '__consumer_offsets',
      partitionAssignment: topics[0].partitions.map(({ partitionId }) => ({
        partition: partitionId,
        replicas: [(partitionId + Math.floor(round)) % 3 + 1],
      })),
    }],
  })
  const { topics: under } = await admin.listPartitionReassignments({})
  assert.deepStrictEqual(under, [])
}

async function scenario() {
  const kafka = client({ retry: { initialRetryTime: 20, retries: 20 } })
  const seen = Array.from({ length: PARTITIONS }, () => [])
  const reader = consumer(kafka, name('group'))
  await withAdmin(kafka, async admin => {
    await create(admin)
    await reader.connect()
    await reader.subscribe({ topics: [TOPIC], fromBeginning: true })
    await reader.run({
      eachMessage: async ({ partition, message }) => {
        seen[partition].push(Number(message.value))
      },
    })
    const writer = producer(kafka, { idempotent: true, maxInFlightRequests: 1 })
    await writer.connect()
    for (let i = 0; i < RECORDS; i++) {
      if (i % 100 === 50) await move(admin, i / 100)
      await writer.send({ topic: TOPIC, messages: [{ partition: i % PARTITIONS, value: `${i}` }] })
    }
    await writer.disconnect()
    await until('all records', () => new Set(seen.flat()).size >= RECORDS, 40)
  })
  // A rebalance may bring records again; what comes for the first time comes in order.
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const first = seen[partition].filter((value, at, all) => all.indexOf(value) === at)
    assert.deepStrictEqual(first, Array.from({ length: RECORDS / PARTITIONS }, (_, i) => i * PARTITIONS + partition))
  }
  await reader.disconnect()
}

main(scenario)
