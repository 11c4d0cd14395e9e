import { existsSync, statSync } from 'node:fs'
import type { Purser } from 'purser'
import { getMeta, inspectStore } from 'purser/internal'
import { isLoopback, openServer } from '../../app/server.ts'
import { type Config, type LoadedConfig, loadConfig } from '../../config/load.ts'
import { getDeckDirectory } from '../../routes/deck.ts'
import type { WebhookStatus } from '../../webhooks/webhooks.ts'
import { checkProviders } from '../check-providers.ts'
import type { Command, Invocation } from '../command.ts'
import { warnLocal } from '../connection.ts'
import { EXIT, toFailure } from '../exit-codes.ts'
import { LOCAL_FLAGS } from '../flags.ts'
import { showElapsed } from '../progress.ts'
import { getMissingStore } from '../store-files.ts'
import { applyStyle, formatCount, print, printJson } from '../terminal.ts'
import { checkAddresses, type Finding } from '../upstream-checks.ts'

/** A value that is written to see whether the store can be. */
const CHECK_NAME = 'doctor'

export const doctor: Command = {
  name: 'doctor',
  operands: '',
  operandCount: [0, 0],
  summary: 'Checks the installation and suggests fixes. Exit code 6 if it finds a problem.',
  flags: LOCAL_FLAGS,
  async run(invocation) {
    warnLocal(invocation)
    const { terminal, flags } = invocation
    const findings = await showElapsed(terminal, 'Checking', checkInstallation(invocation))
    if (flags.json === true) printJson(terminal, { data: findings, cursor: null })
    else {
      for (const { check, ok, detail, hint } of findings) {
        print(terminal, `${applyStyle(terminal, ok ? 'green' : 'red', ok ? 'ok ' : 'BAD')} ${check}: ${detail}`)
        if (!ok && hint !== undefined) print(terminal, `    ${hint}`)
      }
    }
    return findings.every(({ ok }) => ok) ? EXIT.ok : EXIT.found
  },
}

async function checkInstallation({ terminal, flags }: Invocation): Promise<Finding[]> {
  let loaded: LoadedConfig
  try {
    loaded = loadConfig({ flags, environment: terminal.environment, directory: terminal.directory })
  } catch (error) {
    const { message, hint } = toFailure(error)
    return [{ check: 'configuration', ok: false, detail: message, hint }]
  }
  const { config, file, warnings } = loaded
  const findings: Finding[] = [
    { check: 'configuration', ok: true, detail: file ?? 'defaults' },
    ...warnings.map((detail) => ({ check: 'environment', ok: false, detail })),
    ...(await checkStore(config)),
    ...checkFileModes(config),
    checkDeck(),
  ]
  findings.push(...checkProviders(config), ...(await checkAddresses(config)))
  return findings
}

async function checkStore(config: Config): Promise<Finding[]> {
  const missing = getMissingStore(config)
  if (missing !== undefined) {
    return [{ check: 'store', ok: true, detail: `${missing} does not exist yet; purser serve creates it` }]
  }
  try {
    await using server = await openServer({ config: { ...config, server: { ...config.server, logLevel: 'silent' } } })
    const { purser, keys, webhooks } = server.context
    const { ok, checked, firstBad } = await purser.verify()
    const hasKeys = !(await keys.isEmpty())
    await writeToStore(purser)
    return [
      { check: 'store', ok: true, detail: purser.store.location },
      ...(await inspectStore(purser)),
      {
        check: 'event log',
        ok,
        detail: `${formatCount(checked, 'event')} verified`,
        hint: ok
          ? undefined
          : `First bad event: ${JSON.stringify(firstBad)}. Back up the store before changing anything.`,
      },
      {
        check: 'keys',
        ok: hasKeys || isLoopback(config.server.host),
        detail: hasKeys ? 'API keys exist' : 'no API keys yet; the first start creates them',
        hint: 'purser keys create --role admin',
      },
      ...(await webhooks.list()).map(toFinding),
    ]
  } catch (error) {
    const { message, hint } = toFailure(error)
    return [{ check: 'store', ok: false, detail: message, hint }]
  }
}

/** A webhook that fails. The URL may have a token in its path. */
function toFinding({ id, url, enabled, pending, dead, lastError, isFailing }: WebhookStatus): Finding {
  const state = enabled ? `${pending} waiting, ${dead} dead` : 'switched off'
  const error = lastError === null ? '' : `; last error: ${lastError}`
  return {
    check: `webhook ${id}`,
    ok: !isFailing,
    detail: `${new URL(url).origin}: ${state}${error}`,
    hint: `See GET /api/webhooks/${id}/deliveries, and retry dead ones when the receiver works.`,
  }
}

/** Throws `store_unavailable` when the store cannot be written. */
async function writeToStore(purser: Purser): Promise<void> {
  const meta = getMeta(purser)
  const stored = await meta.get(CHECK_NAME)
  await meta.compareAndSet(CHECK_NAME, stored, stored === '1' ? '0' : '1')
}

/** The files hold user data and, without a configured key, the key that encrypts secrets. */
function checkFileModes({ store }: Config): Finding[] {
  if (!store.startsWith('sqlite:') || process.platform === 'win32') return []
  const path = store.slice('sqlite:'.length)
  if (!existsSync(path)) return []
  const mode = statSync(path).mode & 0o777
  const detail = `${path} has mode ${mode.toString(8).padStart(4, '0')}`
  return [{ check: 'file mode', ok: (mode & 0o077) === 0, detail, hint: `chmod 600 ${path}*` }]
}

function checkDeck(): Finding {
  const directory = getDeckDirectory()
  const detail = directory ?? 'the page has not been built'
  return { check: 'deck', ok: directory !== undefined, detail, hint: 'npm run build' }
}
