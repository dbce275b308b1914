// SPDX-License-Identifier: BSD-2-Clause
//
// Refusals have the right name and leave the connection usable: a record over message.max.bytes, a topic that does not
// exist, a partition that does not exist, a bad topic name, a group that does not exist.

const assert = require('node:assert')
const { name, client, producer, createTopic, readAll, withAdmin, main } = require('./rig')

const refused = async (type, work) => {
  const error = await work().then(
    () => null,
    error => error
  )
  assert.ok(error, `${type} expected`)
  const inner = error.cause ?? error
  assert.strictEqual(inner.type ?? inner.errors?.[0]?.type ?? inner.groups?.[0]?.error?.type, type, String(error))
}

main(async () => {
  const kafka = client({ retry: { retries: 1, initialRetryTime: 20 } })
  const topic = await createTopic(kafka, name('errors'))
  const writer = producer(kafka, { allowAutoTopicCreation: false })
  await writer.connect()
  const send = (to, value, partition) => writer.send({ topic: to, messages: [{ value, partition }] })

  await send(topic, 'before')
  await refused('MESSAGE_TOO_LARGE', () => send(topic, Buffer.alloc(1100000)))
  await send(topic, 'after')
  await refused('UNKNOWN_TOPIC_OR_PARTITION', () => send(name('absent'), 'x'))
  await send(topic, 'and again')
  const got = await readAll(kafka, topic, 3)
  assert.deepStrictEqual(got.map(record => String(record.value)), ['before', 'after', 'and again'])
  await writer.disconnect()

  await withAdmin(kafka, async admin => {
    const create = (topic, more = {}) => () => admin.createTopics({ topics: [{ topic, ...more }] })
    await refused('INVALID_TOPIC_EXCEPTION', create('no spaces please'))
    await refused('INVALID_TOPIC_EXCEPTION', create('x'.repeat(250)))
    await refused('INVALID_CONFIG', create(name('bad'), { configEntries: [{ name: 'no.such.key', value: '1' }] }))
    assert.strictEqual(await admin.createTopics({ topics: [{ topic }] }), false, 'it exists')
    await refused('UNKNOWN_TOPIC_OR_PARTITION', () => admin.fetchTopicMetadata({ topics: [name('absent')] }))
    await refused('GROUP_ID_NOT_FOUND', () => admin.deleteGroups([name('absent')]))
  })
})
