// SPDX-License-Identifier: BSD-2-Clause
// suite: timeout=90 warnings=yes
//
// The idempotent producer writes each record once, in order, also across a restart of the broker, and the broker
// remembers its sequence numbers over the restart.

const assert = require('node:assert')
const { name, client, producer, createTopic, control, readAll, main } = require('./rig')

const TOPIC = name('idempotent')
const COUNT = 300

main(async () => {
  const kafka = client({ retry: { retries: 100, initialRetryTime: 50, maxRetryTime: 500 } })
  await createTopic(kafka, TOPIC)
  const writer = producer(kafka, { idempotent: true, maxInFlightRequests: 1 })
  await writer.connect()
  for (let i = 0; i < COUNT; i++) {
    if (i === COUNT / 3) await control('restart')
    await writer.send({ topic: TOPIC, messages: [{ value: `${i}` }] })
  }
  await writer.disconnect()
  const got = await readAll(kafka, TOPIC, COUNT)
  assert.deepStrictEqual(got.map(record => Number(record.value)), [...Array(COUNT).keys()])
})
