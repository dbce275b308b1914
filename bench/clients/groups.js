// SPDX-License-Identifier: BSD-2-Clause
//
// groups.js BOOTSTRAP WHAT COUNT: what the users of groups wait for in tests, with kafkajs at its own defaults; COUNT times, one
// JSON line each, in milliseconds. WHAT is `first` (a member of a new group, from its connect to the first record), `disconnect`
// (of that member, whose fetch is waiting), `rejoin` (a member is killed; from its successor's connect to the first record) or
// `suite` (a small test as people write them: create a topic, produce, consume from a fresh group, disconnect everything).
// Any error ends the program.

const { spawn } = require('node:child_process')
const { Kafka, Partitioners, logLevel } = require('kafkajs')

const [bootstrap, what, count, ...rest] = process.argv.slice(2)
const kafka = new Kafka({ clientId: 'groups', brokers: [bootstrap], logLevel: logLevel.NOTHING })
const unique = `${process.pid}-${Date.now()}`

async function createTopic(topic) {
  const admin = kafka.admin()
  await admin.connect()
  await admin.createTopics({ topics: [{ topic, numPartitions: 1 }] })
  await admin.disconnect()
}

async function produce(topic, value) {
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner })
  await producer.connect()
  await producer.send({ topic, messages: [{ value }] })
  await producer.disconnect()
}

// A member that has its first record.
async function consumeOne(topic, groupId) {
  const consumer = kafka.consumer({ groupId })
  await consumer.connect()
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  await new Promise((resolve, reject) => {
    consumer.run({ eachMessage: async () => resolve() }).catch(reject)
    consumer.on(consumer.events.CRASH, event => reject(event.payload.error))
  })
  return consumer
}

async function timed(work) {
  const begun = performance.now()
  const result = await work()
  return [performance.now() - begun, result]
}

async function filled(name) {
  const topic = `groups-${name}`
  await createTopic(topic)
  await produce(topic, 'first')
  return topic
}

const sleep = ms => new Promise(resolve => setTimeout(resolve, ms))

const measures = {
  async first(name) {
    const topic = await filled(name)
    const [ms, consumer] = await timed(() => consumeOne(topic, `group-${name}`))
    await consumer.disconnect()
    return ms
  },

  async disconnect(name) {
    const topic = await filled(name)
    const consumer = await consumeOne(topic, `group-${name}`)
    await sleep(300) // by now it waits for more
    return (await timed(() => consumer.disconnect()))[0]
  },

  async rejoin(name) {
    const topic = await filled(name)
    const victim = spawn(process.execPath, [__filename, bootstrap, 'victim', '1', topic, `group-${name}`], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await new Promise((resolve, reject) => {
      victim.stdout.once('data', resolve)
      victim.once('exit', () => reject(new Error('the first member did not come to its record')))
    })
    victim.removeAllListeners('exit')
    const gone = new Promise(resolve => victim.once('exit', resolve))
    victim.kill('SIGKILL')
    await gone
    const [ms, consumer] = await timed(() => consumeOne(topic, `group-${name}`))
    await consumer.disconnect()
    return ms
  },

  async suite(name) {
    const [ms] = await timed(async () => {
      const topic = await filled(name)
      const consumer = await consumeOne(topic, `group-${name}`)
      await consumer.disconnect()
    })
    return ms
  },
}

async function main() {
  if (what === 'victim') {
    const [topic, group] = rest
    await consumeOne(topic, group)
    console.log('joined')
    await sleep(120000)
  }
  for (let number = 0; number < Number(count); number++)
    console.log(JSON.stringify({ what, ms: await measures[what](`${what}-${unique}-${number}`) }))
}

main().then(
  () => process.exit(0),
  error => {
    console.error(error)
    process.exit(1)
  }
)
