import assert from 'node:assert/strict'
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'

const PROGRAM = `
  const { setUp } = await import('./scripts/setup.mjs')
  await setUp({ page: false })
  console.log('ready')
`

/** Instead of npm: writes a line to installs.log and is done when the file \`go\` exists. */
const NPM = `
  const { appendFileSync, existsSync, mkdirSync } = require('node:fs')
  appendFileSync('installs.log', process.argv.slice(2).join(' ') + '\\n')
  mkdirSync('node_modules', { recursive: true })
  while (!existsSync('go')) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20)
`

describe('setting up a clone', () => {
  let folder: string

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'purser-setup-'))
    mkdirSync(join(folder, 'scripts'))
    cpSync(join(import.meta.dirname, '..', 'scripts', 'setup.mjs'), join(folder, 'scripts', 'setup.mjs'))
    writeFileSync(join(folder, 'package-lock.json'), '{}')
    writeFileSync(join(folder, 'npm.js'), NPM)
    writeFileSync(join(folder, 'program.mjs'), PROGRAM)
  })
  after(() => rmSync(folder, { recursive: true, force: true }))

  const start = () =>
    spawn(process.execPath, ['program.mjs'], {
      cwd: folder,
      env: { ...process.env, npm_execpath: join(folder, 'npm.js') },
    })

  it('is done once by two commands at once, also after one that was killed', async () => {
    writeFileSync(join(folder, '.setup.pid'), String(await pidOfEnded()))
    const first = start()
    await until(first, /Installing/)
    const second = start()
    await until(second, /Waiting for another command/)
    writeFileSync(join(folder, 'go'), '')
    await Promise.all([until(first, /ready/), until(second, /ready/)])
    assert.equal(readFileSync(join(folder, 'installs.log'), 'utf8').trim().split('\n').length, 1)
    assert.ok(!existsSync(join(folder, '.setup.pid')))
  })

  it('leaves no lock behind when the installation fails', async () => {
    rmSync(join(folder, 'node_modules'), { recursive: true })
    writeFileSync(join(folder, 'npm.js'), 'process.exitCode = 7')
    assert.equal(await exitCode(start()), 7)
    assert.ok(!existsSync(join(folder, '.setup.pid')))
  })
})

/** Resolves when the output matches. */
function until(child: ChildProcessWithoutNullStreams, pattern: RegExp): Promise<void> {
  return new Promise((resolve, reject) => {
    let output = ''
    const read = (chunk: Buffer) => {
      output += chunk
      if (pattern.test(output)) resolve()
    }
    child.stdout.on('data', read)
    child.stderr.on('data', read)
    child.on('close', (code) => reject(new Error(`ended with ${code}: ${output}`)))
  })
}

function exitCode(child: ChildProcessWithoutNullStreams): Promise<number | null> {
  return new Promise((resolve) => child.on('close', resolve))
}

async function pidOfEnded(): Promise<number | undefined> {
  const child = spawn(process.execPath, ['--version'])
  await exitCode(child)
  return child.pid
}
