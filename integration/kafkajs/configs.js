// SPDX-License-Identifier: BSD-2-Clause
//
// Topic and broker configuration by the admin client: describe with sources and defaults, alter (which replaces all),
// and that a topic's max.message.bytes and retention really hold.

const assert = require('node:assert')
const { ConfigResourceTypes, ConfigSource } = require('kafkajs')
const { name, client, producer, createTopic, withAdmin, main } = require('./rig')

main(async () => {
  const kafka = client({ retry: { retries: 1, initialRetryTime: 20 } })
  const topic = await createTopic(kafka, name('configs'), 1, [
    { name: 'retention.ms', value: '3600000' },
    { name: 'max.message.bytes', value: '2000' },
  ])
  await withAdmin(kafka, async admin => {
    const resource = { type: ConfigResourceTypes.TOPIC, name: topic }
    const describe = async configNames => {
      const answer = await admin.describeConfigs({ resources: [{ ...resource, configNames }], includeSynonyms: true })
      assert.strictEqual(answer.resources[0].errorCode, 0)
      return new Map(answer.resources[0].configEntries.map(entry => [entry.configName, entry]))
    }

    let all = await describe()
    for (const key of ['cleanup.policy', 'segment.bytes', 'min.insync.replicas', 'compression.type']) assert.ok(all.has(key), key)
    assert.strictEqual(all.get('retention.ms').configValue, '3600000')
    assert.strictEqual(all.get('retention.ms').configSource, ConfigSource.TOPIC_CONFIG)
    assert.strictEqual(all.get('retention.ms').isDefault, false)
    assert.strictEqual(all.get('cleanup.policy').configValue, 'delete')
    assert.strictEqual(all.get('cleanup.policy').configSource, ConfigSource.DEFAULT_CONFIG)
    assert.deepStrictEqual([...(await describe(['retention.ms'])).keys()], ['retention.ms'])

    const writer = producer(kafka)
    await writer.connect()
    const large = { topic, messages: [{ value: Buffer.alloc(3000) }] }
    await assert.rejects(writer.send(large), /larger than|too large/i)

    await admin.alterConfigs({ resources: [{ ...resource, configEntries: [{ name: 'max.message.bytes', value: '4000' }] }] })
    await writer.send(large)
    all = await describe()
    assert.strictEqual(all.get('max.message.bytes').configValue, '4000')
    assert.strictEqual(all.get('retention.ms').configValue, '604800000', 'what is not named goes back to its default')
    assert.notStrictEqual(all.get('retention.ms').configSource, ConfigSource.TOPIC_CONFIG)

    await assert.rejects(
      admin.alterConfigs({ resources: [{ ...resource, configEntries: [{ name: 'retention.ms', value: 'soon' }] }] })
    )
    await assert.rejects(admin.describeConfigs({ resources: [{ ...resource, name: name('absent') }] }))
    await writer.disconnect()

    const { controller } = await admin.describeCluster()
    const broker = await admin.describeConfigs({
      resources: [{ type: ConfigResourceTypes.BROKER, name: `${controller}` }],
    })
    const entries = new Map(broker.resources[0].configEntries.map(entry => [entry.configName, entry]))
    assert.strictEqual(entries.get('message.max.bytes').configValue, '1048588')
    assert.ok(entries.has('log.dirs') && entries.has('num.partitions'))
  })
})
