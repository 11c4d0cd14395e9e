import { isObject, validateFieldCount } from '../../core/validate.ts'
import { PurserError, suggestion } from '../../errors.ts'

type Rule = readonly [expected: string, isValid: (value: unknown) => boolean]

const number: Rule = ['a number', (value) => typeof value === 'number' && Number.isFinite(value)]
const positiveInteger: Rule = [
  'an integer of 1 or more',
  (value) => Number.isSafeInteger(value) && (value as number) >= 1,
]
const textList: Rule = [
  'a list of texts',
  (value) => Array.isArray(value) && value.every((text) => typeof text === 'string'),
]

const RULES: Readonly<Record<string, Rule>> = {
  maxOutputTokens: positiveInteger,
  temperature: number,
  topP: number,
  topK: number,
  presencePenalty: number,
  frequencyPenalty: number,
  stopSequences: textList,
  seed: ['an integer', (value) => Number.isSafeInteger(value)],
  reasoningEffort: ['text', (value) => typeof value === 'string'],
  providerOptions: ['an object', isObject],
}

/** OpenAI's names of parameters that have an AI SDK name: passed on as they are, the parameter would be sent twice. */
const OPENAI_NAMES: Readonly<Record<string, string>> = {
  max_tokens: 'maxOutputTokens',
  max_completion_tokens: 'maxOutputTokens',
  maxTokens: 'maxOutputTokens',
  top_p: 'topP',
  top_k: 'topK',
  presence_penalty: 'presencePenalty',
  frequency_penalty: 'frequencyPenalty',
  stop: 'stopSequences',
  reasoning_effort: 'reasoningEffort',
}

/** Fields of the request itself, and those that identify the user upstream: never a parameter. */
const RESERVED = ['model', 'messages', 'stream', 'stream_options', 'user', 'safety_identifier', 'metadata']

const DEPTH_MAX = 8
const PARAMETERS_MAX = 256

/** Validates parameters under AI SDK names. Unknown names may be the provider's own, and pass. */
export function validateParameters(value: unknown): void {
  if (!isObject(value)) throw invalidParameters("The setting 'parameters' must be an object.")
  validateFieldCount(value, PARAMETERS_MAX, { name: 'parameters', code: 'settings_invalid' })
  for (const [name, parameter] of Object.entries(value)) {
    if (RESERVED.includes(name)) throw invalidParameters(`'${name}' must not be set as a parameter.`)
    const sdkName = Object.hasOwn(OPENAI_NAMES, name) ? OPENAI_NAMES[name] : undefined
    if (sdkName !== undefined) throw invalidParameters(`Unknown parameter '${name}'.`, suggestion(sdkName, [sdkName]))
    const rule = Object.hasOwn(RULES, name) ? RULES[name] : undefined
    if (rule !== undefined && parameter !== null && parameter !== undefined && !rule[1](parameter)) {
      throw invalidParameters(`The parameter '${name}' must be ${rule[0]}.`)
    }
  }
  validateJson(value, 'parameters', 0)
}

function validateJson(value: unknown, path: string, depth: number): void {
  if (depth > DEPTH_MAX) throw invalidParameters(`'${path}' is nested more than ${DEPTH_MAX} levels deep.`)
  if (Array.isArray(value)) {
    for (const [index, member] of value.entries()) validateJson(member, `${path}[${index}]`, depth + 1)
  } else if (isObject(value)) {
    for (const [name, member] of Object.entries(value)) {
      if (name === '__proto__') throw invalidParameters(`'${path}' must not have a member '__proto__'.`)
      validateJson(member, `${path}.${name}`, depth + 1)
    }
  } else if (!isJsonScalar(value)) throw invalidParameters(`'${path}' must be a JSON value.`)
}

function isJsonScalar(value: unknown): boolean {
  if (value === null || value === undefined || typeof value === 'boolean') return true
  return typeof value === 'number' ? Number.isFinite(value) : typeof value === 'string' && value.isWellFormed()
}

function invalidParameters(message: string, hint?: string): PurserError {
  return new PurserError('settings_invalid', message, { hint, details: { field: 'parameters' } })
}
