// SPDX-License-Identifier: BSD-2-Clause
// suite: threads=yes
//
// A group shares six partitions among its members: again when one joins, when one leaves and when one dies. Whatever
// happens, each record reaches the group, and each partition has one reader.

const assert = require('node:assert')
const { name, client, producer, consumer, createTopic, child, until, withAdmin, main } = require('./rig')

const TOPIC = name('groups')
const GROUP = name('group')
const PARTITIONS = 6

class Member {
  constructor(kafka, seen) {
    this.partitions = []
    this.consumer = consumer(kafka, GROUP, { sessionTimeout: 6000 })
    this.consumer.on(this.consumer.events.GROUP_JOIN, ({ payload }) => {
      this.partitions = payload.memberAssignment[TOPIC] ?? []
    })
    this.seen = seen
  }

  async start() {
    await this.consumer.connect()
    await this.consumer.subscribe({ topics: [TOPIC], fromBeginning: true })
    await this.consumer.run({
      eachMessage: async ({ message }) => {
        const text = String(message.value)
        this.seen.set(text, (this.seen.get(text) ?? 0) + 1)
      },
    })
  }
}

const shares = (members, sizes) => {
  const all = members.flatMap(member => member.partitions).sort()
  return (
    JSON.stringify(members.map(member => member.partitions.length).sort()) === JSON.stringify(sizes) &&
    new Set(all).size === all.length
  )
}

// Run with an argument this is the member that dies: it joins, says so and is killed.
async function victim() {
  const member = new Member(client(), new Map())
  await member.start()
  await until('the victim has partitions', () => member.partitions.length > 0)
  console.log(member.partitions.length)
  await until('death', () => false, 60)
}

async function scenario() {
  const kafka = client()
  await createTopic(kafka, TOPIC, PARTITIONS)
  const seen = new Map()
  const writer = producer(kafka)
  await writer.connect()
  const sent = []
  const send = async () => {
    const messages = [...Array(60).keys()].map(i => ({ value: `${sent.length + i}`, partition: i % PARTITIONS }))
    sent.push(...messages.map(message => message.value))
    await writer.send({ topic: TOPIC, messages })
  }
  const arrived = () => sent.every(value => seen.has(value))

  const first = new Member(kafka, seen)
  await first.start()
  await until('the first member has all', () => shares([first], [6]))
  await send()
  await until('records before anything happened', arrived)

  const second = new Member(kafka, seen)
  await second.start()
  await until('two members have three each', () => shares([first, second], [3, 3]))
  await send()
  await until('records after a join', arrived)

  const dying = child(__filename, ['victim'])
  await until('the victim joined', () => dying.lines.length > 0 && shares([first, second], [2, 2]))
  assert.deepStrictEqual(dying.lines, ['2'])
  dying.kill('SIGKILL')
  await send()
  await until('the survivors share again', () => shares([first, second], [3, 3]), 20)
  await until('records after a death', arrived)

  await second.consumer.disconnect()
  await until('one member has all', () => shares([first], [6]))
  await send()
  await until('records after a leave', arrived)
  assert.strictEqual(seen.size, sent.length)

  await withAdmin(kafka, async admin => {
    const { groups } = await admin.describeGroups([GROUP])
    assert.strictEqual(groups[0].state, 'Stable')
    assert.strictEqual(groups[0].members.length, 1)
  })
  await first.consumer.disconnect()
  await writer.disconnect()
}

main(process.argv[2] === 'victim' ? victim : scenario)
