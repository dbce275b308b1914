// SPDX-License-Identifier: BSD-2-Clause
//
// A reader that waits at the end of the log hears of a new record at once, not at the end of its wait; and while
// nothing comes, it waits instead of asking again and again.

const assert = require('node:assert')
const { name, client, producer, consumer, createTopic, sleep, until, main } = require('./rig')

main(async () => {
  const kafka = client()
  const topic = await createTopic(kafka, name('latency'))
  const writer = producer(kafka)
  await writer.connect()
  await writer.send({ topic, messages: [{ value: 'warm-up' }] })

  let fetches = 0
  const arrivals = []
  const reader = consumer(kafka, name('group'), { maxWaitTimeInMs: 2000 })
  reader.on(reader.events.FETCH, () => fetches++)
  await reader.connect()
  await reader.subscribe({ topics: [topic], fromBeginning: true })
  await reader.run({ eachMessage: async ({ message }) => arrivals.push([String(message.value), performance.now()]) })
  await until('the first record', () => arrivals.length === 1)

  const delays = []
  for (let i = 0; i < 30; i++) {
    await sleep(20)
    const sent = performance.now()
    await writer.send({ topic, messages: [{ value: `${i}` }] })
    await until('the record', () => arrivals.length === i + 2)
    delays.push(arrivals.at(-1)[1] - sent)
  }
  delays.sort((a, b) => a - b)
  console.log(`send to receipt: median ${delays[15].toFixed(1)} ms, worst ${delays[29].toFixed(1)} ms`)
  assert.ok(delays[15] < 50, `median ${delays[15]} ms`)

  fetches = 0
  await sleep(2000)
  assert.ok(fetches <= 12, `${fetches} fetches in two idle seconds`)
  await reader.disconnect()
  await writer.disconnect()
})
