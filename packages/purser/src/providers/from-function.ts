import type { LanguageModelV4 } from '@ai-sdk/provider'
import { PurserError } from '../errors.ts'
import type { LanguageModelSource } from '../options.ts'
import type { ModelRequest } from '../runtime/api.ts'
import { missing } from './credentials.ts'

type MakeSource = (credentials: Readonly<Record<string, string>>) => LanguageModelSource

/**
 * A model from the application's own function. A user without credentials gets an object on which every read is
 * `secret_missing`: a function that needs none still works, and one that does cannot pass `undefined` on to a package
 * that would take the server's key instead.
 */
export function languageModelFrom(order: ModelRequest, make: MakeSource): LanguageModelV4 {
  const source = make(order.credentials === null ? noCredentials(order) : Object.freeze({ ...order.credentials }))
  if (typeof source?.languageModel !== 'function') throw notAModel(order, 'It has no languageModel().')
  const model: unknown = source.languageModel(order.modelId)
  // The AI SDK takes a text for a model of its own gateway, paid for by the server.
  if (typeof model !== 'object' || model === null) throw notAModel(order, 'languageModel() gave no model.')
  const { specificationVersion } = model as Partial<LanguageModelV4>
  if (specificationVersion !== 'v4') {
    throw notAModel(order, `Its model has the specification version '${String(specificationVersion)}', not 'v4'.`)
  }
  return model as LanguageModelV4
}

function noCredentials(order: ModelRequest): Readonly<Record<string, string>> {
  return new Proxy(Object.freeze({}) as Record<string, string>, {
    get(_, name) {
      if (typeof name === 'symbol') return undefined
      throw missing(order, name)
    },
  })
}

function notAModel(order: ModelRequest, why: string): PurserError {
  return new PurserError('option_invalid', `The provider '${order.provider}' is not a provider of AI SDK 7. ${why}`, {
    hint: 'Return an object whose languageModel(id) gives a LanguageModelV4.',
  })
}
