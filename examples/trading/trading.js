// SPDX-License-Identifier: BSD-2-Clause
//
// A trading platform in one file, on plain kafkajs.
//
// One producer writes trades to the topic `trades` (three partitions), keyed by symbol, so all trades of a symbol lie
// in one partition, in order. Two groups read them:
//
//   risk        three workers, one partition each, and a fourth that idles until one of them fails; reads what is new
//   compliance  two workers that join later and replay every trade ever made, from the beginning
//
// A group's place in the log is its own: what risk has read says nothing about compliance. The program checks all that
// it claims and exits with 0 only if it saw it. Run it as often as you like against the same broker: each run adds its
// trades to the log, and compliance replays the earlier runs too.
//
//   npm install && node trading.js                     broker at localhost:9092
//   BROKERS=127.0.0.1:39217 node trading.js            somewhere else

const assert = require('node:assert')
const { Kafka, Partitioners, logLevel } = require('kafkajs')

const TOPIC = process.env.TOPIC || 'trades'
const BROKERS = (process.env.BROKERS || 'localhost:9092').split(',')
const SYMBOLS = ['GREGOR', 'JOSEFK', 'LANDSV', 'ODRA', 'ROTPET', 'SAMSA', 'KLAMM', 'BARNAB']
const ROUNDS = 25 // trades per symbol, half of them before compliance joins
const RUN = new Date().toISOString()

// What goes wrong reaches this program as an exception; kafkajs also logs each step of a rebalance as an error.
const kafka = new Kafka({ clientId: 'trading', brokers: BROKERS, logLevel: logLevel.NOTHING })

// What one group has seen: for each run and symbol the sequence numbers in the order in which they came.
class Ledger {
  constructor(name) {
    this.name = name
    this.next = new Map()
    this.count = 0
    this.repeats = 0
    this.problems = []
  }

  record({ run, symbol, seq }) {
    const key = `${run} ${symbol}`
    const expected = this.next.get(key) ?? 0
    if (seq < expected) {
      this.repeats++ // at-least-once: a rebalance may hand out a trade again
      return
    }
    if (seq > expected) this.problems.push(`${key}: got ${seq} where ${expected} was due`)
    this.next.set(key, seq + 1)
    this.count++
  }

  complete(run, rounds) {
    return SYMBOLS.every(symbol => (this.next.get(`${run} ${symbol}`) ?? 0) === rounds)
  }

  runs() {
    return new Set([...this.next.keys()].map(key => key.split(' ')[0]))
  }
}

// A member of a group. `ready` resolves once it has its partitions and has asked the broker for records.
class Worker {
  constructor(name, groupId, fromBeginning, ledger) {
    this.name = name
    this.ledger = ledger
    this.partitions = []
    this.seen = 0
    this.fromBeginning = fromBeginning
    this.consumer = kafka.consumer({ groupId, maxWaitTimeInMs: 250, heartbeatInterval: 500 })
  }

  async start() {
    const { GROUP_JOIN, FETCH } = this.consumer.events
    this.consumer.on(GROUP_JOIN, ({ payload }) => {
      this.partitions = payload.memberAssignment[TOPIC] ?? []
      this.fetched = false
    })
    this.consumer.on(FETCH, () => {
      this.fetched = true
    })
    await this.consumer.connect()
    await this.consumer.subscribe({ topics: [TOPIC], fromBeginning: this.fromBeginning })
    await this.consumer.run({
      eachMessage: async ({ message }) => {
        const trade = JSON.parse(message.value)
        assert.strictEqual(message.key.toString(), trade.symbol)
        this.seen++
        this.ledger.record(trade)
      },
    })
  }

  get ready() {
    return this.fetched || this.partitions.length === 0
  }
}

async function until(what, condition, seconds = 30) {
  const deadline = Date.now() + seconds * 1000
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`waited ${seconds} s for: ${what}`)
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}

// True when the workers' assignments have the given sizes and no partition is missing or given out twice.
function assigned(workers, sizes) {
  const all = workers.flatMap(worker => worker.partitions).sort()
  const got = workers.map(worker => worker.partitions.length).sort()
  return (
    workers.every(worker => worker.ready) &&
    JSON.stringify(all) === '[0,1,2]' &&
    JSON.stringify(got) === JSON.stringify(sizes)
  )
}

async function trade(producer, from, to) {
  for (let seq = from; seq < to; seq++) {
    await producer.send({
      topic: TOPIC,
      acks: -1,
      messages: SYMBOLS.map(symbol => ({
        key: symbol,
        value: JSON.stringify({ run: RUN, symbol, seq, price: 100 + seq / 8, quantity: 10 * (seq + 1) }),
      })),
    })
  }
}

async function committed(admin, groupId) {
  const [{ partitions }] = await admin.fetchOffsets({ groupId, topics: [TOPIC] })
  return partitions.sort((a, b) => a.partition - b.partition).map(p => Number(p.offset))
}

async function logEnds(admin) {
  const offsets = await admin.fetchTopicOffsets(TOPIC)
  return offsets.sort((a, b) => a.partition - b.partition).map(p => Number(p.high))
}

/** Nobody else is about to join: the coordinator knows all of them and has given out all that there is. */
async function settled(admin, groupId, members) {
  const { groups: [group] } = await admin.describeGroups([groupId])
  return group.state === 'Stable' && group.members.length === members
}

const same = (a, b) => JSON.stringify(a) === JSON.stringify(b)

async function main() {
  const admin = kafka.admin()
  await admin.connect()
  if ((await admin.listTopics()).includes(TOPIC)) {
    console.log(`topic ${TOPIC} is there already`)
  } else {
    await admin.createTopics({ topics: [{ topic: TOPIC, numPartitions: 3 }], waitForLeaders: false })
    await until('the topic', async () => (await admin.listTopics()).includes(TOPIC))
    console.log(`created topic ${TOPIC} with 3 partitions`)
  }

  // Risk: four workers on three partitions. It has read every earlier run, so it starts at what is new.
  const risk = new Ledger('risk')
  const riskWorkers = [1, 2, 3, 4].map(n => new Worker(`risk-${n}`, 'risk', false, risk))
  await Promise.all(riskWorkers.map(worker => worker.start()))
  await until('three risk workers with a partition each and one idle',
    async () => (await settled(admin, 'risk', 4)) && assigned(riskWorkers, [0, 1, 1, 1]))
  for (const worker of riskWorkers) {
    console.log(`${worker.name}: ${worker.partitions.length ? `partition ${worker.partitions}` : 'idle'}`)
  }

  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner })
  await producer.connect()
  const before = await logEnds(admin)
  const half = Math.floor(ROUNDS / 2)
  await trade(producer, 0, half)
  await until('risk to see the first half', () => risk.complete(RUN, half))
  await until('risk to commit the first half', async () => same(await committed(admin, 'risk'), await logEnds(admin)))

  // Compliance: joins now, under a group name of its own for this audit, and reads from the very beginning.
  const audit = `compliance-${RUN.replace(/[^0-9]/g, '')}`
  const compliance = new Ledger('compliance')
  assert.deepStrictEqual(await committed(admin, audit), [-1, -1, -1], "risk's offsets are its own")
  const complianceWorkers = [1, 2].map(n => new Worker(`compliance-${n}`, audit, true, compliance))
  await Promise.all(complianceWorkers.map(worker => worker.start()))
  await until('two compliance workers that share three partitions', () => assigned(complianceWorkers, [1, 2]))
  for (const worker of complianceWorkers) console.log(`${worker.name}: partitions ${worker.partitions}`)
  await until('compliance to catch up', () => compliance.complete(RUN, half))

  await trade(producer, half, ROUNDS)
  for (const ledger of [risk, compliance]) {
    await until(`${ledger.name} to see all trades`, () => ledger.complete(RUN, ROUNDS))
  }
  const ends = await logEnds(admin)
  for (const group of ['risk', audit]) {
    await until(`${group} to commit`, async () => same(await committed(admin, group), ends))
  }

  // The claims.
  const total = ends.reduce((a, b) => a + b, 0)
  for (const ledger of [risk, compliance]) {
    assert.deepStrictEqual(ledger.problems, [], `${ledger.name} saw each symbol in order`)
    console.log(`${ledger.name}: ${ledger.count} trades of ${ledger.runs().size} run(s), in order (${ledger.repeats} repeated)`)
  }
  assert.deepStrictEqual([...risk.runs()], [RUN], 'risk read only what is new')
  assert.strictEqual(risk.count, SYMBOLS.length * ROUNDS)
  assert.strictEqual(compliance.count, total, 'compliance read all that was ever written')
  assert.ok(riskWorkers.filter(worker => worker.seen > 0).length === 3, 'three risk workers worked')
  assert.ok(riskWorkers.some(worker => worker.seen === 0), 'the fourth idled')
  assert.strictEqual(total - before.reduce((a, b) => a + b, 0), SYMBOLS.length * ROUNDS)

  await Promise.all(complianceWorkers.map(worker => worker.consumer.disconnect()))
  const groups = await admin.describeGroups(['risk', audit])
  for (const { groupId, state, members } of groups.groups) {
    console.log(`group ${groupId}: ${state}, ${members.length} members`)
  }
  await Promise.all(riskWorkers.map(worker => worker.consumer.disconnect()))
  await producer.disconnect()
  await admin.disconnect()
  console.log(`all claims hold; ${total} trades in the log`)
}

main().catch(error => {
  console.error(error)
  process.exit(1)
})
