import { type Rule as ArgumentRule, isObject, parseOneOf, throwInvalid, validateFields } from '../../core/validate.ts'
import { type ErrorCode, suggestion } from '../../errors.ts'
import type { LimitMeasure } from '../../options.ts'
import type { Amount } from './amount.ts'
import { createWindow } from './create-window.ts'
import { compileGlobs } from './glob.ts'
import { parseMoney } from './money.ts'
import type { RuleWindow } from './window.ts'

/** A limit as configured, checked and compiled. */
export interface Rule {
  readonly name: string
  readonly measure: LimitMeasure
  /** Null: no limit. */
  readonly max: Amount | null
  readonly mode: 'enforce' | 'observe'
  readonly window: RuleWindow
  /** The window as configured; null with `concurrent`. */
  readonly windowText: string | null
  readonly models: readonly string[] | null
  readonly alertAt: readonly number[]
  readonly onLimit: 'refuse' | Downgrade
  /** What is counted. Use goes on over changes of a rule while its name and this are equal. */
  readonly counts: string
  /** Whether turns of a model are counted; null: the model is not known. */
  matches(model: string | null): boolean
}

export interface Downgrade {
  readonly provider?: string
  readonly model: string
}

/** The name of the rule of the daily cap. */
export const DAILY = 'daily'

export const MEASURES: readonly LimitMeasure[] = [
  'turns',
  'tokens',
  'inputTokens',
  'outputTokens',
  'cost',
  'toolCalls',
  'concurrent',
]

/** Rules of one user, beside `daily`. */
export const MAX_RULES = 16
const MAX_MODELS = 64
const MODEL_MAX_LENGTH = 256
const MAX_ALERTS = 8
const ALERT_MAX = 10
const NAME = /^[a-z0-9][a-z0-9._:/-]{0,63}$/i
const FIELDS = ['name', 'measure', 'max', 'mode', 'window', 'weekStart', 'models', 'alertAt', 'onLimit']
const WINDOWS = ['day', 'week', 'month', 'total', '5h', 'sliding:1h']
const WINDOW_HINT = "Examples: 'day', 'week', 'month', '5h', 'sliding:1m', 'total'. Lengths are 1m to 30d."

interface Path {
  /** Of the list, such as `ledger.limits`. */
  readonly path: string
  readonly code: ErrorCode
}

/** Compiles a list of limits. Throws with the path of the first field that is not valid. */
export function parseLimits(limits: unknown, { path, code }: Path): readonly Rule[] {
  if (!Array.isArray(limits)) return throwInvalid(`'${path}' must be a list of limits.`, { name: path, code })
  const rules = limits.map((limit, index) => parseLimit(limit, { path: `${path}[${index}]`, code }))
  for (const [index, { name }] of rules.entries()) {
    if (rules.findIndex((rule) => rule.name === name) !== index)
      throwInvalid(`'${path}[${index}].name' is '${name}' again.`, {
        name: `${path}[${index}].name`,
        code,
        hint: 'Every limit needs a name of its own.',
      })
  }
  validateCount(rules, { path, code })
  return rules
}

/** Refuses more rules than a user may have. */
export function validateCount(rules: readonly Rule[], { path, code }: Path): void {
  const count = rules.filter(({ name }) => name !== DAILY).length
  if (count > MAX_RULES)
    throwInvalid(`'${path}' gives a user ${count} limits.`, { name: path, code, hint: `At most ${MAX_RULES}.` })
}

function parseLimit(limit: unknown, { path, code }: Path): Rule {
  validateFields(limit, FIELDS, { name: path, code })
  const fields = limit as Record<string, unknown>
  const at = (field: string, hint?: string): ArgumentRule => ({ name: `${path}.${field}`, code, hint })
  const name = parseName(fields.name, at('name', 'Letters, digits and . _ - : / are allowed, at most 64.'))
  const measure = parseChoice(fields.measure, MEASURES, at('measure'))
  const models = parseModels(fields.models, at('models', "Example: ['openai/gpt-6*']."))
  if (name === DAILY) validateDaily(fields, { path, code })
  return createRule({
    name,
    measure,
    max: parseMax(fields.max, measure, at('max')),
    mode: fields.mode === undefined ? 'enforce' : parseChoice(fields.mode, ['enforce', 'observe'], at('mode')),
    windowText: parseWindow(fields, measure, at('window', WINDOW_HINT)),
    weekStart:
      fields.weekStart === undefined ? 'monday' : parseOneOf(fields.weekStart, ['monday', 'sunday'], at('weekStart')),
    models,
    alertAt: parseAlerts(fields.alertAt, at('alertAt', 'Example: [0.8, 1].')),
    onLimit: parseOnLimit(fields.onLimit, at('onLimit', "Use 'refuse', or { provider, model }.")),
  })
}

/** A rule from checked fields. */
export function createRule(
  fields: Omit<Rule, 'counts' | 'matches' | 'window'> & { readonly weekStart?: 'monday' | 'sunday' },
): Rule {
  const { weekStart = 'monday', ...rule } = fields
  const { measure, windowText, models } = rule
  const matchesGlob = models === null ? undefined : compileGlobs(models)
  const window = createWindow({ text: windowText, weekStart })
  return {
    ...rule,
    window: window as RuleWindow,
    counts: `${measure} ${windowText}${models === null ? '' : ` ${JSON.stringify(models)}`}`,
    matches: matchesGlob === undefined ? () => true : (model) => model !== null && matchesGlob(model),
  }
}

/** An amount that a rule allows; null is no limit. */
export function parseMax(max: unknown, measure: LimitMeasure, rule: ArgumentRule): Amount | null {
  if (max === null) return null
  if (measure === 'cost') return parseMoney(max, rule)
  if (Number.isSafeInteger(max) && (max as number) >= 0) return max as number
  return throwInvalid(`'${rule.name}' must be an integer of 0 or more, or null for no limit.`, rule)
}

function parseName(name: unknown, rule: ArgumentRule): string {
  return typeof name === 'string' && NAME.test(name) ? name : throwInvalid(`'${rule.name}' is not a valid name.`, rule)
}

function parseChoice<Choice extends string>(value: unknown, choices: readonly Choice[], rule: ArgumentRule): Choice {
  const hint = typeof value === 'string' ? suggestion(value, choices) : ''
  return parseOneOf(value, choices, hint === '' ? rule : { ...rule, hint })
}

function parseWindow(fields: Record<string, unknown>, measure: LimitMeasure, rule: ArgumentRule): string | null {
  const { window, weekStart } = fields
  if (weekStart !== undefined && window !== 'week')
    throwInvalid(`'${rule.name}' must be 'week' where weekStart is set.`, { ...rule, hint: undefined })
  if (measure === 'concurrent') {
    if (window === undefined || window === null) return null
    return throwInvalid(`'${rule.name}' must be absent with the measure 'concurrent'.`, { ...rule, hint: undefined })
  }
  const isRolling = window === 'rolling24h' && fields.name === DAILY
  if (typeof window === 'string' && (isRolling || window !== 'rolling24h')) {
    if (createWindow({ text: window, weekStart: 'monday' }) !== undefined) return window
    const close = suggestion(window, WINDOWS)
    return throwInvalid(`'${rule.name}' is not a window.`, close === '' ? rule : { ...rule, hint: close })
  }
  return throwInvalid(`'${rule.name}' is not a window.`, rule)
}

function parseModels(models: unknown, rule: ArgumentRule): readonly string[] | null {
  if (models === undefined) return null
  const isGlob = (glob: unknown): boolean =>
    typeof glob === 'string' && glob !== '' && glob.length <= MODEL_MAX_LENGTH && glob.isWellFormed()
  if (Array.isArray(models) && models.length > 0 && models.length <= MAX_MODELS && models.every(isGlob))
    return [...models]
  return throwInvalid(`'${rule.name}' must be a list of 1 to ${MAX_MODELS} globs on 'provider/model'.`, rule)
}

function parseAlerts(alertAt: unknown, rule: ArgumentRule): readonly number[] {
  if (alertAt === undefined) return []
  const isPart = (part: unknown): boolean => typeof part === 'number' && part > 0 && part <= ALERT_MAX
  if (Array.isArray(alertAt) && alertAt.length <= MAX_ALERTS && alertAt.every(isPart))
    return [...new Set(alertAt as number[])].sort((one, other) => one - other)
  return throwInvalid(`'${rule.name}' must be a list of at most ${MAX_ALERTS} numbers above 0, at most 10.`, rule)
}

function parseOnLimit(onLimit: unknown, rule: ArgumentRule): 'refuse' | Downgrade {
  if (onLimit === undefined || onLimit === 'refuse') return 'refuse'
  if (!isObject(onLimit)) return throwInvalid(`'${rule.name}' must be 'refuse' or a model.`, rule)
  validateFields(onLimit, ['provider', 'model'], rule)
  const { provider, model } = onLimit
  const isName = (name: unknown): name is string =>
    typeof name === 'string' && name !== '' && name.length <= MODEL_MAX_LENGTH
  if (!isName(model) || (provider !== undefined && !isName(provider)))
    return throwInvalid(`'${rule.name}' must name a model.`, rule)
  return provider === undefined ? { model } : { provider, model }
}

/** `daily` is the rule that `quota` and the bond speak of. */
function validateDaily({ measure, window, models }: Record<string, unknown>, { path, code }: Path): void {
  const isDaily = measure === 'turns' && models === undefined && (window === 'day' || window === 'rolling24h')
  if (!isDaily)
    throwInvalid(`'${path}' must count turns in 'day' or 'rolling24h', of all models, because it is named 'daily'.`, {
      name: path,
      code,
      hint: 'Use another name for other limits.',
    })
}
