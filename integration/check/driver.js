// SPDX-License-Identifier: BSD-2-Clause
//
// The same as driver.c on kafkajs: produce, transact, pipe and consume (subscribing), with the same arguments and the same
// history. Whatever kafkajs does not report as acknowledged is `info`: it does not say what became of it.

const fs = require('node:fs')
const { Kafka, Partitioners, CompressionTypes, CompressionCodecs, logLevel } = require('kafkajs')

const [mode, ...words] = process.argv.slice(2)
const settings = Object.fromEntries(words.map(word => [word.slice(0, word.indexOf('=')), word.slice(word.indexOf('=') + 1)]))
const AGAIN = 3
const CODECS = { none: CompressionTypes.None, gzip: CompressionTypes.GZIP, snappy: CompressionTypes.Snappy, lz4: CompressionTypes.LZ4, zstd: CompressionTypes.ZSTD }

async function installCodecs() {
  const lz4 = require('lz4-napi')
  const zstd = await new Promise(resolve => require('zstd-codec').ZstdCodec.run(library => resolve(new library.Simple())))
  CompressionCodecs[CompressionTypes.Snappy] = require('kafkajs-snappy')
  CompressionCodecs[CompressionTypes.LZ4] = () => ({
    compress: async encoder => lz4.compressFrame(encoder.buffer),
    decompress: async buffer => lz4.decompressFrame(buffer),
  })
  CompressionCodecs[CompressionTypes.ZSTD] = () => ({
    compress: async encoder => Buffer.from(zstd.compress(encoder.buffer)),
    decompress: async buffer => Buffer.from(zstd.decompress(buffer)),
  })
}

const history = fs.openSync(settings.out, 'w')
let stopping = false
process.on('SIGTERM', () => (stopping = true))

const note = event => fs.writeSync(history, `{"t":${process.hrtime.bigint()},${JSON.stringify(event).slice(1)}\n`)

function places(text) {
  const list = []
  for (const word of (text || '').split(',').filter(Boolean)) {
    const [topic, count] = word.split(':')
    for (let partition = 0; partition < Number(count); partition++) list.push({ topic, partition, sequence: 0 })
  }
  return list
}

// A generator of one's own, so that a seed decides what is sent.
let state = [...`${settings.name} ${settings.seed} ${settings.inc}`].reduce((sum, char) => Math.imul(sum ^ char.charCodeAt(0), 16777619) >>> 0, 2166136261)
function pick(bound) {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0
  return (state >>> 8) % bound
}

function digest(bytes) {
  let sum = 2166136261
  for (const byte of bytes) sum = Math.imul(sum ^ byte, 16777619) >>> 0
  return sum
}

const sleep = ms => new Promise(resolve => setTimeout(resolve, ms))
const why = error => `${error.type ?? error.name ?? error}`

function giveUp(what, reason) {
  note({ e: 'end', at: what, why: reason })
  process.exit(AGAIN)
}

const kafka = new Kafka({
  brokers: [process.env.BOOTSTRAP],
  logLevel: logLevel.NOTHING,
  requestTimeout: 10000,
  retry: { retries: 200, initialRetryTime: 30, maxRetryTime: 300 },
})

function makeProducer(transactional) {
  return kafka.producer({
    createPartitioner: Partitioners.DefaultPartitioner,
    ...(transactional
      ? { transactionalId: settings.txid, idempotent: true, maxInFlightRequests: 1, transactionTimeout: 30000 }
      : settings.idempotent === 'true' ? { idempotent: true, maxInFlightRequests: 1 } : {}),
  })
}

// Names and notes a record; what it returns is ready for kafkajs.
function makeRecord(place, transaction, source) {
  const id = `${settings.name}.${settings.inc}:${place.topic}-${place.partition}:${place.sequence++}:${transaction ?? '-'}`
  const filler = 'abcd'[pick(4)].repeat(pick(8) === 0 ? pick(1500) : pick(100))
  const timestamp = Date.now()
  note({ e: 'invoke', f: 'send', v: id, ...(source ? { src: source } : {}) })
  return {
    id,
    topic: place.topic,
    message: {
      partition: place.partition, key: id, headers: { id }, timestamp: `${timestamp}`,
      value: `${id} ${timestamp} ${filler.length} ${digest(Buffer.from(filler))} ${filler}`,
    },
  }
}

// Sends records, one request per topic, and notes what became of each.
async function send(sender, records) {
  for (const topic of new Set(records.map(record => record.topic))) {
    const own = records.filter(record => record.topic === topic)
    let answers
    try {
      const codec = CODECS[settings.codec ?? 'none']
      answers = await sender.send({ topic, acks: settings.acks === 'all' || !settings.acks ? -1 : Number(settings.acks), compression: codec, messages: own.map(record => record.message) })
    } catch (error) {
      for (const { id } of own) note({ e: 'info', f: 'send', v: id, why: why(error) })
      throw error
    }
    const next = new Map((answers ?? []).map(answer => [answer.partition, Number(answer.baseOffset)]))
    for (const { id, message } of own) {
      const offset = next.get(message.partition) ?? -1
      if (offset >= 0) next.set(message.partition, offset + 1)
      note({ e: 'ok', f: 'send', v: id, o: offset })
    }
  }
}

const pause = count => sleep((1000 * count) / Number(settings.rate ?? 200))

async function produce() {
  const targets = places(settings.topics)
  const producer = makeProducer(false)
  await producer.connect()
  while (!stopping) {
    const records = Array.from({ length: 1 + pick(20) }, () => makeRecord(targets[pick(targets.length)]))
    try {
      await send(producer, records)
    } catch (error) {
      giveUp('produce', why(error)) // its sequences would no longer be those of the broker
    }
    await pause(records.length)
  }
  await producer.disconnect()
}

async function connectTransactional() {
  const producer = makeProducer(true)
  note({ e: 'invoke', f: 'init' })
  await producer.connect()
  note({ e: 'ok', f: 'init' })
  return producer
}

// `work` fills the transaction; afterwards it is ended. What fails leaves its end open, and a new life takes over.
async function transaction(producer, number, commit, work) {
  const open = await producer.transaction()
  note({ e: 'invoke', f: 'begin', x: number })
  const kind = commit ? 'commit' : 'abort'
  let ending = false
  try {
    await work(open)
    note({ e: 'invoke', f: kind, x: number })
    ending = true
    await open[kind]()
  } catch (error) {
    if (ending) note({ e: 'info', f: kind, x: number, why: why(error) })
    giveUp('transaction', why(error))
  }
  note({ e: 'ok', f: kind, x: number })
}

async function transact() {
  const targets = places(settings.topics)
  const producer = await connectTransactional()
  for (let number = 0; !stopping; number++) {
    const width = 1 + pick(targets.length)
    const count = 1 + pick(12)
    await transaction(producer, number, pick(10) < 7, async open => {
      await send(open, Array.from({ length: count }, () => makeRecord(targets[pick(width)], number)))
      if (pick(4) === 0) await sleep(pick(60))
    })
    await pause(count)
  }
  await producer.disconnect()
}

// --- reading ---

function fault(message) {
  const text = message.value?.toString('latin1') ?? ''
  const parts = /^(\S+) (\d+) (\d+) (\d+) /.exec(text)
  if (!parts) return ['?', 'form']
  const [head, id, timestamp, size, sum] = parts
  const filler = Buffer.from(text.slice(head.length), 'latin1')
  if (filler.length !== Number(size) || digest(filler) !== Number(sum)) return [id, 'value']
  if (message.key?.toString() !== id) return [id, 'key']
  if (message.timestamp !== timestamp) return [id, 'timestamp']
  if (message.headers?.id?.toString() !== id) return [id, 'header']
  return [id, null]
}

function notePoll(topic, partition, messages) {
  const place = `${topic}-${partition}`
  const read = messages.map(message => {
    const [id, wrong] = fault(message)
    if (wrong) note({ e: 'bad', k: place, o: Number(message.offset), why: wrong })
    return [Number(message.offset), id]
  })
  if (read.length > 0) note({ e: 'ok', f: 'poll', k: place, r: read })
}

function noteGroup(consumer) {
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    const own = Object.entries(payload.memberAssignment).flatMap(([topic, list]) => list.map(partition => `${topic}-${partition}`))
    note({ e: 'assign', gen: -1, member: payload.memberId, k: own })
  })
  consumer.on(consumer.events.CRASH, ({ payload }) => {
    note({ e: 'error', why: why(payload.error) })
    if (!payload.restart) giveUp('consume', why(payload.error))
  })
}

function makeConsumer(readUncommitted) {
  const consumer = kafka.consumer({
    groupId: settings.group, readUncommitted, maxWaitTimeInMs: 100, sessionTimeout: 6000, heartbeatInterval: 500,
    rebalanceTimeout: 6000, retry: { retries: 200, initialRetryTime: 30, maxRetryTime: 300 },
  })
  noteGroup(consumer)
  return consumer
}

const REFUSED = new Set(['ILLEGAL_GENERATION', 'UNKNOWN_MEMBER_ID', 'REBALANCE_IN_PROGRESS', 'FENCED_INSTANCE_ID'])

async function consume() {
  const consumer = makeConsumer(settings.isolation !== 'read_committed')
  let commits = 0
  const committed = new Map()
  await consumer.connect()
  await consumer.subscribe({ topics: [...new Set(places(settings.topics).map(place => place.topic))], fromBeginning: true })
  await consumer.run({
    autoCommit: false,
    eachBatchAutoResolve: true,
    eachBatch: async ({ batch }) => {
      notePoll(batch.topic, batch.partition, batch.messages)
      const place = `${batch.topic}-${batch.partition}`
      if (Date.now() - (committed.get(place) ?? 0) < 200) return
      committed.set(place, Date.now())
      const offset = `${BigInt(batch.lastOffset()) + 1n}`
      const number = ++commits
      note({ e: 'invoke', f: 'commit', n: number, gen: -1, off: { [place]: Number(offset) } })
      try {
        await consumer.commitOffsets([{ topic: batch.topic, partition: batch.partition, offset }])
        note({ e: 'ok', f: 'commit', n: number })
      } catch (error) {
        note({ e: REFUSED.has(error.type) ? 'fail' : 'info', f: 'commit', n: number, why: why(error) })
        if (REFUSED.has(error.type)) throw error // kafkajs joins again; after anything else it would only read this batch again
      }
    },
  })
  while (!stopping) await sleep(50)
  note({ e: 'end', f: 'consume' })
  await consumer.disconnect()
}

async function pipe() {
  const sinks = places(settings.sink)
  const producer = await connectTransactional()
  let number = 0
  const consumer = makeConsumer(false)
  await consumer.connect()
  await consumer.subscribe({ topics: [...new Set(places(settings.topics).map(place => place.topic))], fromBeginning: true })
  await consumer.run({
    autoCommit: false,
    eachBatch: async ({ batch }) => {
      const place = `${batch.topic}-${batch.partition}`
      const messages = batch.messages
      if (messages.length === 0) return
      const current = number++
      await transaction(producer, current, true, async open => {
        const records = messages.map(message => makeRecord(sinks[pick(sinks.length)], current, `${place}@${message.offset}`))
        await send(open, records)
        const offset = `${BigInt(messages[messages.length - 1].offset) + 1n}`
        note({ e: 'invoke', f: 'offsets', x: current, off: { [place]: Number(offset) } })
        await open.sendOffsets({ consumerGroupId: settings.group, topics: [{ topic: batch.topic, partitions: [{ partition: batch.partition, offset }] }] })
      })
    },
  })
  while (!stopping) await sleep(50)
  note({ e: 'end', f: 'pipe' })
  await consumer.disconnect()
  await producer.disconnect()
}

note({
  e: 'start', p: settings.name, i: Number(settings.inc), mode, acks: settings.acks ?? 'all', idempotent: settings.idempotent === 'true',
  txid: settings.txid ?? '', group: settings.group ?? '', isolation: settings.isolation ?? 'read_uncommitted', client: 'kafkajs',
})
const modes = { produce, transact, pipe, consume }
installCodecs().then(modes[mode]).then(
  () => process.exit(0),
  error => giveUp(mode, why(error))
)
