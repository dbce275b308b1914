// SPDX-License-Identifier: BSD-2-Clause
// suite: timeout=120 warnings=yes
//
// A restart or a kill of the broker in the middle of a transaction changes nothing of it: the client goes on and commits or
// aborts it as if nothing had happened.

const assert = require('node:assert')
const { name, client, producer, createTopic, readAll, control, main } = require('./rig')

const values = records => records.map(record => record.value.toString())

main(async () => {
  const kafka = client({ retry: { retries: 50, initialRetryTime: 50, maxRetryTime: 500 } })
  const topic = await createTopic(kafka, name('restarted'))
  const writer = producer(kafka, { transactionalId: name('restarted'), maxInFlightRequests: 1, idempotent: true })
  await writer.connect()
  const wanted = []
  for (let i = 0; i < 6; i++) {
    const transaction = await writer.transaction()
    await transaction.send({ topic, messages: [{ value: `${i}-a` }] })
    if (i % 3 === 0) {
      await control('restart')
    } else {
      await control('kill')
      await control('start')
    }
    await transaction.send({ topic, messages: [{ value: `${i}-b` }] })
    if (i % 2 === 0) {
      await transaction.commit()
      wanted.push(`${i}-a`, `${i}-b`)
    } else {
      await transaction.abort()
    }
  }
  await writer.disconnect()
  assert.deepStrictEqual(values(await readAll(kafka, topic, wanted.length)), wanted)
})
