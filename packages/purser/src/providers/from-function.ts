import type { LanguageModelV4 } from '@ai-sdk/provider'
import { PurserError } from '../errors.ts'
import type { LanguageModelSource } from '../options.ts'
import type { ModelRequest } from '../runtime/ports.ts'
import { secretMissing } from './credentials.ts'

type CreateSource = (credentials: Readonly<Record<string, string>>) => LanguageModelSource

/**
 * Creates a model with the application's own provider function. For a user without credentials every read of the
 * function's argument throws `secret_missing`: a function that needs no credentials works, and one that does cannot
 * pass `undefined` to a package that would then use the server's key.
 */
export function createModelFromFunction(request: ModelRequest, createSource: CreateSource): LanguageModelV4 {
  const { provider, credentials, modelId } = request
  const source = createSource(credentials === null ? missingCredentials(request) : Object.freeze({ ...credentials }))
  if (typeof source?.languageModel !== 'function') throw notAModel(provider, 'It has no languageModel().')
  const model: unknown = source.languageModel(modelId)
  // The AI SDK would take text as the name of a model of its own gateway, paid with the server's key.
  if (typeof model !== 'object' || model === null) throw notAModel(provider, 'languageModel() returned no model.')
  const { specificationVersion } = model as Partial<LanguageModelV4>
  if (specificationVersion !== 'v4') {
    throw notAModel(provider, `Its model has the specification version '${String(specificationVersion)}', not 'v4'.`)
  }
  return model as LanguageModelV4
}

function missingCredentials(request: ModelRequest): Readonly<Record<string, string>> {
  return new Proxy(Object.freeze({}) as Record<string, string>, {
    get(_, name) {
      if (typeof name === 'symbol') return undefined
      throw secretMissing(request, name)
    },
  })
}

function notAModel(provider: string, reason: string): PurserError {
  return new PurserError('option_invalid', `The provider '${provider}' is not an AI SDK 7 provider. ${reason}`, {
    hint: 'Return an object whose languageModel(id) returns a LanguageModelV4.',
  })
}
