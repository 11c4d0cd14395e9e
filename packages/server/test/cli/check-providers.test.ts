import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable, Writable } from 'node:stream'
import { test } from 'node:test'
import { checkProviders } from '../../src/cli/check-providers.ts'
import { run } from '../../src/cli/run.ts'
import { resolveConfig } from '../../src/config/load.ts'
import type { ConfigFile } from '../../src/index.ts'
import { createTempDirectory } from '../support/processes.ts'

/** Problems (`!`) and remarks of a configuration, each with its provider. */
function findingsOf(config: ConfigFile): string[] {
  return checkProviders(resolveConfig({ store: 'memory:', ...config })).map(
    ({ check, ok, detail }) => `${ok ? '' : '!'}${check.replace('provider ', '')}: ${detail.split(':')[0]}`,
  )
}

const selected = (provider: string, settings = {}) => ({ runtime: { defaults: { provider, model: 'm', ...settings } } })

test('a provider that can answer has no findings', () => {
  const providers: ConfigFile['providers'] = {
    local: { kind: 'openai-compatible', baseURL: 'http://127.0.0.1:9100/v1' },
    openai: { kind: 'openai', apiKey: 'k' },
    claude: { kind: 'anthropic', authToken: 't' },
    azure: { kind: 'azure', apiKey: 'k', resourceName: 'mine' },
    aws: { kind: 'amazon-bedrock', accessKeyId: 'a', secretAccessKey: 's', region: 'eu-central-1' },
    demo: { kind: 'demo' },
  }
  for (const name of Object.keys(providers)) assert.deepEqual(findingsOf({ providers, ...selected(name) }), [])
})

test('what is missing is a problem where the configuration selects the provider for users', () => {
  const key = { openai: { kind: 'openai' } } as const
  assert.deepEqual(findingsOf({ providers: key }), ['openai: no API key', 'providers: none is selected for all users'])
  assert.deepEqual(findingsOf({ providers: key, ...selected('openai') }), ['!openai: no API key'])
  assert.deepEqual(findingsOf({ providers: key, presets: { fast: { provider: 'openai', model: 'm' } } }), [
    '!openai: no API key',
  ])
  assert.deepEqual(findingsOf({ providers: key, plans: { pro: { runtime: { provider: 'openai', model: 'm' } } } }), [
    '!openai: no API key',
  ])
  const blank = { openai: { kind: 'openai', apiKey: ' ' } } as const
  assert.deepEqual(findingsOf({ providers: blank, ...selected('openai') }), ['!openai: no API key'])
  const half = { aws: { kind: 'amazon-bedrock', accessKeyId: 'a' } } as const
  assert.deepEqual(findingsOf({ providers: half, ...selected('aws') }), ['!aws: no region', '!aws: no API key'])
  assert.deepEqual(findingsOf({ providers: half, ...selected('aws', { region: 'eu-central-1' }) }), [
    '!aws: no API key',
  ])
  const azure = { azure: { kind: 'azure', apiKey: 'k' } } as const
  assert.deepEqual(findingsOf({ providers: azure, ...selected('azure') }), ['!azure: no resourceName'])
})

test('a selection without a model is a problem unless the provider has one', () => {
  const select = (fields: object) =>
    findingsOf({
      providers: { openai: { kind: 'openai', apiKey: 'k', ...fields } },
      runtime: { defaults: { provider: 'openai' } },
    })
  assert.deepEqual(select({}), ['!openai: no model'])
  assert.deepEqual(select({ models: ['m', 'n'] }), ['!openai: no model'])
  assert.deepEqual(select({ models: ['m'] }), [])
  assert.deepEqual(select({ models: ['m', 'n'], defaultModel: 'n' }), [])
})

test('a provider without an address is a problem unless settings have one', () => {
  const providers = { local: { kind: 'openai-compatible' } } as const
  assert.deepEqual(findingsOf({ providers }), ['!local: no baseURL', 'providers: none is selected for all users'])
  assert.deepEqual(findingsOf({ providers, ...selected('local') }), ['!local: no baseURL'])
  assert.deepEqual(findingsOf({ providers, ...selected('local', { baseURL: 'https://one.example/v1' }) }), [])
})

test('purser serve warns of what doctor finds, and refuses fields and kinds that do not exist', async () => {
  const directory = createTempDirectory()
  const serve = async (config: object): Promise<{ code: number; stderr: string }> => {
    writeFileSync(join(directory, 'purser.config.json'), JSON.stringify({ store: 'memory:', ...config }))
    let stderr = ''
    const code = await run(['serve', '--port', '0'], {
      stdin: Readable.from([]),
      stdout: new Writable({ write: (_part, _encoding, done) => done() }),
      stderr: new Writable({
        write(part, _encoding, done) {
          stderr += String(part)
          done()
        },
      }),
      environment: {},
      directory,
      // The server shuts down as soon as it has printed its addresses.
      signal: AbortSignal.abort(new DOMException('SIGTERM', 'AbortError')),
    })
    return { code, stderr }
  }
  const warned = await serve({ providers: { openai: { kind: 'openai' } }, ...selected('openai') })
  assert.equal(warned.code, 0)
  assert.match(warned.stderr, /warning: provider openai: no API key: users of runtime\.defaults who/)
  assert.match(warned.stderr, /providers\.openai\.apiKey, or give users keys of their own: purser secret set ID openai/)
  const silent = await serve({ providers: { openai: { kind: 'openai', apiKey: 'k' } }, ...selected('openai') })
  assert.doesNotMatch(silent.stderr, /warning/)
  const unselected = await serve({ providers: { openai: { kind: 'openai', apiKey: 'k' } } })
  assert.match(unselected.stderr, /note: providers: none is selected[^\n]*\n {2}Set runtime\.defaults\.provider/)
  for (const [provider, message] of [
    [{ kind: 'openai', apiKy: 'k' }, /providers\.openai\.apiKy.*Did you mean 'apiKey'\?/],
    [{ kind: 'opnai' }, /providers\.openai\.kind.*one of openai/],
  ] as const) {
    const { code, stderr } = await serve({ providers: { openai: provider } })
    assert.equal(code, 2)
    assert.match(stderr, message)
  }
})
