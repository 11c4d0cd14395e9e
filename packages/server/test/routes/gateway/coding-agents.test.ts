import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { lastBody, openGatewayHarness, sendChat, startFakeProvider } from '../../support/gateway-harness.ts'

/*
 * Codex and Claude Code, unmodified, on a provider that has only chat completions. They are binaries of 400 MB each and no
 * dependencies: `npm install --no-save --ignore-scripts @openai/codex @anthropic-ai/claude-code` makes these tests run.
 */

const require = createRequire(import.meta.url)

/** The directory of an installed package; undefined if it is not there. */
function findPackage(name: string): string | undefined {
  try {
    return join(require.resolve(`${name}/package.json`), '..')
  } catch {
    return undefined
  }
}

const codex = findPackage('@openai/codex')
const claudeCode = findPackage(`@anthropic-ai/claude-code-${process.platform}-${process.arch}`)
const noCodex = codex === undefined && howToInstall('@openai/codex')
const noClaudeCode = claudeCode === undefined && howToInstall('@anthropic-ai/claude-code')

function howToInstall(name: string): string {
  return `NOT RUN, ${name} is not installed: npm install --no-save --ignore-scripts ${name}`
}

const upstream = await startFakeProvider((request, response) =>
  sendChat(request, response, { content: 'Hello from the gateway' }),
)
const gateway = await openGatewayHarness({
  providers: { chat: { kind: 'openai-compatible', baseURL: upstream.baseURL, apiKey: 'k', models: ['m', 'claude-m'] } },
  runtime: { defaults: { provider: 'chat', model: 'm' } },
})
const { key } = await gateway.context.keys.create({ role: 'user', name: 'of ada', user: 'ada', createdBy: 'test' })
const home = mkdtempSync(join(tmpdir(), 'purser-agents-'))
after(() => rmSync(home, { recursive: true, force: true }))

/** Runs a program to its end; it gets no variables of this process but the path. */
function run(command: string, args: readonly string[], env: Record<string, string>): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: home,
      env: { PATH: process.env.PATH ?? '', HOME: home, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    after(() => child.kill('SIGKILL'))
    let output = ''
    child.stdout.on('data', (bytes: Buffer) => {
      output += bytes.toString()
    })
    child.stderr.on('data', (bytes: Buffer) => {
      output += bytes.toString()
    })
    child.on('error', reject)
    child.on('close', () => resolve(output))
  })
}

test('Codex has a turn, with the tools of its namespaces', { skip: noCodex }, async () => {
  const directory = join(home, 'codex')
  mkdirSync(directory)
  writeFileSync(
    join(directory, 'config.toml'),
    `model = "m"
model_provider = "purser"
web_search = "disabled"

[model_providers.purser]
name = "Purser"
base_url = "${gateway.url}/v1"
wire_api = "responses"
env_key = "PURSER_USER_KEY"
supports_websockets = false
`,
  )
  const output = await run(
    process.execPath,
    [join(codex ?? '', 'bin/codex.js'), 'exec', '--skip-git-repo-check', 'Say hello'],
    { CODEX_HOME: directory, PURSER_USER_KEY: key },
  )
  assert.match(output, /Hello from the gateway/)
  const { tools } = lastBody(upstream) as { tools: { function: { name: string } }[] }
  assert.ok(tools.some(({ function: { name } }) => name.includes('__')))
  assert.equal(await gateway.count('ada'), upstream.requests.length)
})

test('Claude Code has a turn', { skip: noClaudeCode }, async () => {
  const output = await run(join(claudeCode ?? '', 'claude'), ['-p', 'Say hello'], {
    CLAUDE_CONFIG_DIR: join(home, 'claude'),
    ANTHROPIC_BASE_URL: gateway.url,
    ANTHROPIC_AUTH_TOKEN: key,
    ANTHROPIC_MODEL: 'claude-m',
    ANTHROPIC_DEFAULT_HAIKU_MODEL: 'claude-m',
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
  })
  assert.match(output, /Hello from the gateway/)
  assert.equal(lastBody(upstream).model, 'claude-m')
})
