import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import type { z } from 'zod'
import { COMMANDS } from '../../src/cli/commands/index.ts'
import { configSchema } from '../../src/config/schema.ts'
import { createTempDirectory, runPurser } from '../support/processes.ts'

const directory = createTempDirectory()
const run = (line: string, cwd = directory) => runPurser(line.split(' '), cwd)

test('help is the same in every spelling, and shows the flags of a command before those it shares', async () => {
  const long = await run('cap --help')
  for (const line of ['cap -h', 'help cap', 'cap ada 5 -h']) assert.equal((await run(line)).stdout, long.stdout, line)
  assert.match(long.stdout, /Flags\n {2}--reason[\s\S]*Where the data is\n[\s\S]*--url[\s\S]*--store[\s\S]*General\n/)
  assert.doesNotMatch(long.stdout, /--body-limit-bytes/)
  assert.match((await run('serve -h')).stdout, /--body-limit-bytes/)
  const overview = await run('--help')
  for (const line of ['-h', 'help']) assert.equal((await run(line)).stdout, overview.stdout, line)
  for (const { name } of COMMANDS) assert.equal((await run(`help ${name}`)).code, 0, name)
  assert.deepEqual([(await run('help srve')).code, (await run('-v')).code], [2, 0])
})

test('bash completes commands, the second word of a group, and flags', async () => {
  const script = (await run('completion bash')).stdout
  const complete = async (...words: string[]): Promise<string[]> => {
    const current = words.at(-1) ?? ''
    const quoted = words.map((word) => `'${word}'`).join(' ')
    const program = `${script}\nCOMP_WORDS=(purser ${quoted}); COMP_CWORD=${words.length}\n_purser purser '${current}'\nprintf '%s\\n' "\${COMPREPLY[@]}"`
    const { stdout } = await promisify(execFile)('bash', ['-c', program])
    return stdout.trim().split('\n')
  }
  assert.deepEqual(await complete('li'), ['limits', 'limit'])
  assert.deepEqual(await complete('keys', ''), ['create', 'list', 'revoke'])
  assert.deepEqual(await complete('cap', 'ada', '--rea'), ['--reason'])
  assert.deepEqual(await complete('keys', 'create', '--ro'), ['--role'])
})

test('each shell has a script with every command, quoted; another shell is an error', async () => {
  for (const shell of ['bash', 'zsh', 'fish']) {
    const { stdout } = await run(`completion ${shell}`)
    for (const { name } of COMMANDS) assert.ok(stdout.includes(name.split(' ').at(-1) ?? ''), `${shell} ${name}`)
    // Single quotes are the only ones that the scripts use around texts.
    const plain = stdout.replaceAll(String.raw`'\''`, '').replaceAll(String.raw`\'`, '')
    for (const line of plain.split('\n')) assert.equal(line.split("'").length % 2, 1, `${shell}: ${line}`)
  }
  assert.equal((await run('completion ksh')).code, 2)
})

test('init writes a file that starts, once, with comments and a schema that allows them', async () => {
  const empty = createTempDirectory()
  const first = await run('init --json', empty)
  assert.equal(first.code, 0, first.stderr)
  const { file, schemaFile } = JSON.parse(first.stdout) as { file: string; schemaFile: string }
  assert.equal(statSync(file).mode & 0o777, 0o600)
  const before = readFileSync(file, 'utf8')
  const second = await run('init', empty)
  assert.deepEqual([second.code, readFileSync(file, 'utf8')], [2, before])
  assert.match(second.stderr, /exists already/)
  const printed = await run('config print --json', empty)
  assert.equal(printed.code, 0, printed.stderr)
  assert.equal(JSON.parse(printed.stdout).context['//sources'], undefined)
  const findings = JSON.parse((await run('doctor --json', empty)).stdout).data as { check: string; ok: boolean }[]
  // The page may not have been built.
  assert.deepEqual(
    findings.filter(({ check, ok }) => !ok && check !== 'deck'),
    [],
  )
  const schema = JSON.parse(readFileSync(schemaFile, 'utf8')) as z.core.JSONSchema.JSONSchema
  assert.deepEqual(schema.patternProperties, { '^//': {} })
  const options = Object.keys(JSON.parse(before)).filter((name) => !name.startsWith('//'))
  assert.deepEqual(
    options.filter((name) => schema.properties?.[name] === undefined),
    [],
  )
  // What is a comment in the file is an option without the slashes.
  const sample = JSON.parse(before) as { '//providers': Record<string, unknown>[] }
  const providers = Object.assign({}, ...sample['//providers'].slice(1)) as unknown
  assert.ok(configSchema.safeParse({ providers }).success)
})

test('comments in a file hold anything and are no options; a missing folder is an error', async () => {
  const folder = createTempDirectory()
  const variable = ['$', '{MISSING}'].join('')
  writeFileSync(
    join(folder, 'purser.config.json'),
    JSON.stringify({ '//': variable, store: 'memory:', server: { '//port': 'x', port: 0 }, '//leger': {} }),
  )
  assert.equal((await run('config print', folder)).code, 0)
  assert.match((await run('init --config no/such/folder.json', folder)).stderr, /cannot be written: ENOENT/)
})

test('the actor of a change is the person: --actor, else the user of the system; the audit says that it was a command', async () => {
  await run('cap ada 5 --reason first')
  await run('cap ada 6 --reason second --actor Zoë')
  const { stdout } = await run('events ada --json')
  const events = (JSON.parse(stdout) as { data: { actor: string; data: { origin?: string } }[] }).data
  assert.deepEqual(
    events.map(({ actor }) => actor),
    ['Zoë', userInfo().username],
  )
  assert.equal((await run(`cap ada 7 --reason x --actor ${'x'.repeat(257)}`)).code, 2)
  const remote = await run('cap ada 7 --reason x --actor Zoë --url http://127.0.0.1:1 --key k')
  assert.deepEqual([remote.code, /name of the key/.test(remote.stderr)], [2, true])
})
