// SPDX-License-Identifier: BSD-2-Clause
// suite: timeout=90 warnings=yes threads=yes
//
// The broker restarts twice, once politely and once by SIGKILL, under a producer and a group that know nothing of it.
// Each acknowledged record arrives; offsets name the same record before and after; order holds in each partition.

const assert = require('node:assert')
const { name, client, producer, consumer, createTopic, control, sleep, until, withAdmin, main } = require('./rig')

const TOPIC = name('restart')
const GROUP = name('group')
const PARTITIONS = 3

main(async () => {
  const kafka = client({ retry: { retries: 100, initialRetryTime: 50, maxRetryTime: 500 } })
  await createTopic(kafka, TOPIC, PARTITIONS)

  const writer = producer(kafka)
  await writer.connect()
  const acked = []
  let stop = false
  const writing = (async () => {
    for (let i = 0; !stop; i++) {
      const partition = i % PARTITIONS
      await writer.send({ topic: TOPIC, acks: -1, messages: [{ partition, value: `${i}` }] })
      acked.push(i)
      await sleep(2)
    }
  })()

  const byOffset = new Map()
  const values = new Set()
  let repeats = 0
  const reader = consumer(kafka, GROUP)
  await reader.connect()
  await reader.subscribe({ topics: [TOPIC], fromBeginning: true })
  await reader.run({
    autoCommitInterval: 200,
    eachMessage: async ({ partition, message }) => {
      const place = `${partition}/${message.offset}`
      const value = String(message.value)
      if (byOffset.has(place)) {
        repeats++
        assert.strictEqual(byOffset.get(place), value, `${place} changed its record`)
      }
      byOffset.set(place, value)
      values.add(Number(value))
    },
  })

  for (const how of ['restart', 'kill']) {
    const before = acked.length
    await until(`100 records before the ${how}`, () => acked.length >= before + 100 && values.size >= before + 50)
    await control(how)
    if (how === 'kill') {
      await sleep(300)
      await control('start')
    }
    const after = acked.length
    await until(`100 records after the ${how}`, () => acked.length >= after + 100 && values.size >= after + 50, 40)
  }
  stop = true
  await writing
  await until('all acknowledged records', () => acked.every(i => values.has(i)))

  // The writer awaits each answer, so order by offset is the order of sending; a retry may repeat, never reorder.
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const offsets = [...byOffset.keys()].filter(key => key.startsWith(`${partition}/`)).map(key => Number(key.split('/')[1]))
    offsets.sort((a, b) => a - b)
    assert.deepStrictEqual(offsets, [...Array(offsets.length).keys()], 'no gap')
    const sequence = offsets.map(offset => Number(byOffset.get(`${partition}/${offset}`)))
    assert.ok(sequence.every((value, i) => i === 0 || value >= sequence[i - 1]), `partition ${partition} in order`)
  }
  await reader.disconnect()
  await writer.disconnect()
  await withAdmin(kafka, async admin => {
    const [{ partitions }] = await admin.fetchOffsets({ groupId: GROUP, topics: [TOPIC] })
    assert.ok(partitions.every(({ offset }) => Number(offset) > 0))
  })
  console.log(`${acked.length} acknowledged, ${byOffset.size} in the log, ${repeats} delivered twice`)
  assert.ok(byOffset.size >= acked.length && byOffset.size <= acked.length + 20, 'few retries')
})
