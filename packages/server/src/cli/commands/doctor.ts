import { existsSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { isLoopback } from '../../app/address.ts'
import { openServer } from '../../app/server.ts'
import { type Config, loadConfig } from '../../config/load.ts'
import { deckDirectory } from '../../routes/deck.ts'
import { type Call, type Command, EXIT, GENERAL_FLAGS, SETTING_FLAGS } from '../command.ts'
import { sayLocal } from '../connection.ts'
import { failureOf } from '../exit-codes.ts'
import { absentStore } from '../store-files.ts'
import { print, printJson, styled } from '../terminal.ts'

interface Finding {
  readonly check: string
  readonly ok: boolean
  readonly detail: string
  /** How to mend it. */
  readonly hint?: string | undefined
}

const REACH_MS = 3_000

export const doctor: Command = {
  name: 'doctor',
  operands: '',
  summary: 'Tells what is wrong and how to mend it; exits with 6 when it found something.',
  takes: [0, 0],
  flags: { ...GENERAL_FLAGS, ...SETTING_FLAGS },
  async run(call) {
    sayLocal(call)
    const findings = await examine(call)
    const { terminal } = call
    if (call.flags.json === true) printJson(terminal, findings)
    else {
      for (const { check, ok, detail, hint } of findings) {
        print(terminal, `${styled(terminal, ok ? 'green' : 'red', ok ? 'ok ' : 'BAD')} ${check}: ${detail}`)
        if (!ok && hint !== undefined) print(terminal, `    ${hint}`)
      }
    }
    return findings.every(({ ok }) => ok) ? EXIT.ok : EXIT.found
  },
}

async function examine(call: Call): Promise<Finding[]> {
  const { terminal, flags } = call
  let config: Config
  const findings: Finding[] = []
  try {
    const loaded = loadConfig({ flags, environment: terminal.environment, directory: terminal.directory })
    config = loaded.config
    findings.push({ check: 'configuration', ok: true, detail: loaded.file ?? 'defaults' })
    for (const warning of loaded.warnings) findings.push({ check: 'environment', ok: false, detail: warning })
  } catch (error) {
    const { message, hint } = failureOf(error)
    return [{ check: 'configuration', ok: false, detail: message, hint }]
  }
  findings.push(...(await examineStore(config)), ...fileModes(config), deckBuilt())
  for (const [name, provider] of Object.entries(config.providers ?? {})) {
    if (provider.baseURL !== undefined) findings.push(await reaches(name, provider.baseURL))
  }
  return findings
}

async function examineStore(config: Config): Promise<Finding[]> {
  const absent = absentStore(config)
  if (absent !== undefined) {
    return [{ check: 'store', ok: true, detail: `there is no store at ${absent} yet; purser serve makes it` }]
  }
  try {
    await using server = await openServer({ config: { ...config, server: { ...config.server, logLevel: 'silent' } } })
    const verdict = await server.house.purser.verify()
    const keys = await server.house.keys.any()
    const open = !isLoopback(config.server.host)
    return [
      { check: 'store', ok: true, detail: config.store },
      {
        check: 'event log',
        ok: verdict.ok,
        detail: `${verdict.checked} events checked`,
        hint: verdict.ok
          ? undefined
          : `First bad: ${JSON.stringify(verdict.firstBad)}. Copy the store before changing anything.`,
      },
      {
        check: 'keys',
        ok: keys || !open,
        detail: keys ? 'there are keys' : 'none yet; a first start makes them',
        hint: 'purser keys create --role admin',
      },
    ]
  } catch (error) {
    const { message, hint } = failureOf(error)
    return [{ check: 'store', ok: false, detail: message, hint }]
  }
}

/** Whoever can read the files can read what people said, and the key that seals their secrets. */
function fileModes({ store }: Config): Finding[] {
  if (!store.startsWith('sqlite:') || process.platform === 'win32') return []
  const path = store.slice('sqlite:'.length)
  if (!existsSync(path)) return []
  const loose = (statSync(path).mode & 0o077) !== 0
  return [{ check: 'file mode', ok: !loose, detail: `${path} in ${dirname(path)}`, hint: `chmod 600 ${path}*` }]
}

function deckBuilt(): Finding {
  const directory = deckDirectory()
  return {
    check: 'deck',
    ok: directory !== undefined,
    detail: directory ?? 'the page has not been built',
    hint: 'npm run build',
  }
}

async function reaches(name: string, url: string): Promise<Finding> {
  const check = `provider ${name}`
  try {
    const response = await fetch(url, { method: 'HEAD', signal: AbortSignal.timeout(REACH_MS) })
    return { check, ok: true, detail: `${new URL(url).host} answers (${response.status})` }
  } catch {
    const hint = 'Is it running, and does this machine reach it? Look at baseURL and the proxy.'
    return { check, ok: false, detail: `${new URL(url).host} does not answer`, hint }
  }
}
