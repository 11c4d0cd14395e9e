import type { ProviderConfig } from 'purser'
import type { Config } from '../config/load.ts'
import type { Finding } from './upstream-checks.ts'

type Settings = Readonly<Record<string, unknown>>

/**
 * Providers that cannot answer as they are configured. What is missing is a problem where the defaults, a preset or a plan
 * select the provider; elsewhere each user may have set it.
 */
export function checkProviders(config: Config): Finding[] {
  const names = Object.keys(config.providers ?? {})
  const findings = Object.entries(config.providers ?? {}).flatMap(([name, provider]) => {
    const selections = findSelections(config, name)
    return [checkAddress, checkRegion, checkKey, checkModel].flatMap((check) => check({ name, provider, selections }))
  })
  const isSelected = names.length === 0 || names.some((name) => findSelections(config, name).size > 0)
  return isSelected ? findings : [...findings, noSelection(names)]
}

/** Each user may have settings of their own, so it is no problem in itself. */
function noSelection([name = '']: readonly string[]): Finding {
  return {
    check: 'providers',
    ok: true,
    detail: 'none is selected for all users: only users with settings of their own get answers',
    hint: `Set runtime.defaults.provider, for example to '${name}'.`,
  }
}

interface Checked {
  readonly name: string
  readonly provider: ProviderConfig
  /** Settings for many users that name this provider, by where they are. */
  readonly selections: ReadonlyMap<string, Settings>
}

/** Settings of the configuration that name the provider. */
function findSelections({ runtime, presets, plans }: Config, name: string): Map<string, Settings> {
  const settings: [path: string, settings: unknown][] = [
    ['runtime.defaults', runtime?.defaults],
    ...Object.entries(presets ?? {}).map(([tag, preset]): [string, unknown] => [`presets.${tag}`, preset]),
    ...Object.entries(plans ?? {}).map(([tag, plan]): [string, unknown] => [`plans.${tag}.runtime`, plan.runtime]),
  ]
  const named = settings.filter(([, value]) => (value as Settings | null | undefined)?.provider === name)
  return new Map(named as [string, Settings][])
}

function checkAddress({ name, provider, selections }: Checked): Finding[] {
  if (provider.baseURL !== undefined) return []
  if (provider.kind === 'openai-compatible') {
    const unaddressed = new Map([...selections].filter(([, { baseURL }]) => baseURL === undefined))
    // Without selections, users who choose it can still set an address; that is rarely what was meant.
    const isProblem = unaddressed.size > 0 || selections.size === 0
    const hint = `Set providers.${name}.baseURL to the address of its API, up to and including /v1.`
    return isProblem ? [toFinding({ name, what: 'no baseURL', selections: unaddressed, ok: false, hint })] : []
  }
  if (provider.kind !== 'azure' || provider.resourceName !== undefined) return []
  const hint = `Set providers.${name}.resourceName, or its baseURL.`
  return [toFinding({ name, what: 'no resourceName', selections, ok: selections.size === 0, hint })]
}

function checkRegion({ name, provider, selections }: Checked): Finding[] {
  if (provider.kind !== 'amazon-bedrock' || provider.region !== undefined) return []
  const unset = new Map([...selections].filter(([, { region }]) => region === undefined))
  const hint = `Set providers.${name}.region, for example to eu-central-1.`
  return selections.size > 0 && unset.size === 0
    ? []
    : [toFinding({ name, what: 'no region', selections: unset, ok: unset.size === 0, hint })]
}

function checkKey({ name, provider, selections }: Checked): Finding[] {
  if (hasKey(provider)) return []
  const hint = `Set providers.${name}.apiKey, or give users keys of their own: purser secret set ID ${name}`
  return [toFinding({ name, what: 'no API key', selections, ok: selections.size === 0, hint })]
}

/** A selection without a model takes the provider's `defaultModel`, else the only one of its `models`. */
function checkModel({ name, provider, selections }: Checked): Finding[] {
  const { defaultModel, models, kind } = provider
  if (defaultModel !== undefined || models?.length === 1 || kind === 'demo') return []
  const unset = new Map([...selections].filter(([, { model }]) => model === undefined))
  const hint = `Set providers.${name}.defaultModel.`
  return unset.size === 0 ? [] : [toFinding({ name, what: 'no model', selections: unset, ok: false, hint })]
}

/** Whether the operator's calls are authenticated. Servers of the kind `openai-compatible` may have no keys. */
function hasKey(provider: ProviderConfig): boolean {
  switch (provider.kind) {
    case 'demo':
    case 'openai-compatible':
      return true
    case 'anthropic':
      return isText(provider.apiKey) || isText(provider.authToken)
    case 'amazon-bedrock':
      return isText(provider.apiKey) || (isText(provider.accessKeyId) && isText(provider.secretAccessKey))
    default:
      return isText(provider.apiKey)
  }
}

function isText(value: string | undefined): boolean {
  return value !== undefined && value.trim() !== ''
}

interface Missing {
  readonly name: string
  readonly what: string
  readonly selections: ReadonlyMap<string, Settings>
  readonly ok: boolean
  readonly hint: string
}

function toFinding({ name, what, selections, ok, hint }: Missing): Finding {
  const paths = [...selections.keys()].join(', ')
  const consequence =
    paths === ''
      ? 'only users who have set their own can use it'
      : `users of ${paths} who have not set their own cannot use it`
  return { check: `provider ${name}`, ok, detail: `${what}: ${consequence}`, hint }
}
