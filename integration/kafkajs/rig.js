// SPDX-License-Identifier: BSD-2-Clause
//
// What the kafkajs scenarios share: where the broker is, names that nobody else uses, waiting, and reading a topic.

const net = require('node:net')
const { spawn } = require('node:child_process')
const { Kafka, Partitioners, logLevel } = require('kafkajs')

const BOOTSTRAP = process.env.BOOTSTRAP
const PREFIX = process.env.PREFIX

const name = suffix => PREFIX + suffix

// A client whose error and warning lines are kept in `client.problems` instead of being printed.
function client(options = {}) {
  const problems = []
  const kafka = new Kafka({
    clientId: name('client'),
    brokers: [BOOTSTRAP],
    logLevel: logLevel.WARN,
    logCreator: () => entry => problems.push(`${entry.log.message} ${entry.log.error ?? ''}`.trim()),
    ...options,
  })
  kafka.problems = problems
  return kafka
}

const producer = (kafka, options = {}) =>
  kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner, ...options })

// Short waits keep the suite quick; nothing else differs from kafkajs' defaults.
const consumer = (kafka, groupId, options = {}) =>
  kafka.consumer({ groupId, maxWaitTimeInMs: 200, heartbeatInterval: 500, ...options })

async function withAdmin(kafka, work) {
  const admin = kafka.admin()
  await admin.connect()
  try {
    return await work(admin)
  } finally {
    await admin.disconnect()
  }
}

// Kafka answers CreateTopics before its own metadata knows the topic (odradek does not: at-once.js), hence the waiting.
async function createTopics(admin, topics) {
  await admin.createTopics({ topics, waitForLeaders: false, timeout: 30000 })
  await until('the topics', async () => {
    const listed = new Set(await admin.listTopics())
    return topics.every(({ topic }) => listed.has(topic))
  })
}

async function createTopic(kafka, topic, numPartitions = 1, configEntries = []) {
  await withAdmin(kafka, admin => createTopics(admin, [{ topic, numPartitions, configEntries }]))
  return topic
}

const sleep = ms => new Promise(resolve => setTimeout(resolve, ms))

async function until(what, condition, seconds = 30) {
  const deadline = Date.now() + seconds * 1000
  let value
  while (!(value = await condition())) {
    if (Date.now() > deadline) throw new Error(`waited ${seconds} s for: ${what}`)
    await sleep(10)
  }
  return value
}

// Reads a topic from its beginning with a group of its own until `count` records have come.
async function readAll(kafka, topic, count, options = {}) {
  const reader = consumer(kafka, name(`reader-${topic}-${Math.random().toString(36).slice(2)}`), options)
  const records = []
  await reader.connect()
  await reader.subscribe({ topics: [topic], fromBeginning: true })
  await reader.run({
    eachMessage: async ({ partition, message }) => {
      records.push({ partition, ...message })
    },
  })
  await until(`${count} records of ${topic} (${records.length})`, () => records.length >= count)
  await reader.disconnect()
  return records
}

// Tells the suite to restart, stop, kill or start the broker.
function control(word) {
  const [host, port] = process.env.CONTROL.split(':')
  return new Promise((resolve, reject) => {
    const socket = net.connect(Number(port), host, () => socket.write(`${word}\n`))
    socket.setEncoding('utf8')
    socket.on('error', reject)
    socket.on('data', answer => {
      socket.destroy()
      if (answer.trim() === 'ok') resolve()
      else reject(new Error(`control ${word}: ${answer}`))
    })
  })
}

// Runs another script (or this one with arguments); `lines` grows as it prints.
function child(script, args = [], env = {}) {
  const process_ = spawn(process.execPath, [script, ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const lines = []
  let rest = ''
  process_.stdout.setEncoding('utf8')
  process_.stdout.on('data', text => {
    const parts = (rest + text).split('\n')
    rest = parts.pop()
    lines.push(...parts)
  })
  const ended = new Promise(resolve => process_.on('close', (code, signal) => resolve(code ?? signal)))
  return { lines, ended, kill: signal => process_.kill(signal) }
}

function main(scenario) {
  scenario().then(
    () => process.exit(0),
    error => {
      console.error(error)
      process.exit(1)
    }
  )
}

module.exports = {
  BOOTSTRAP, name, client, producer, consumer, withAdmin, createTopics, createTopic, sleep, until, readAll, control, child, main,
}
