import type { TurnParts } from '../answers/cache-key.ts'
import type { ResolvedContext } from '../context/api.ts'
import type { ChatRequest } from '../openai/chat.ts'
import { injectContext } from '../openai/inject-context.ts'
import { pseudonymizeUser } from '../openai/pseudonymize-user.ts'
import type { ProviderOption } from '../options.ts'
import type { Settings } from '../runtime/api.ts'
import { withParameters } from './parameters.ts'

interface Target {
  readonly settings: Settings
  readonly provider: ProviderOption | undefined
}

/**
 * The request as the model gets it: the user's model and parameters, the user's context behind the application's own
 * text, and a pseudonym where the application named the user. What the turn does not know passes through.
 */
export function upstreamRequest(
  request: ChatRequest,
  { settings, provider, pseudonym, contextText }: Target & { readonly pseudonym: string; readonly contextText: string },
): ChatRequest {
  const field = typeof provider === 'function' ? 'none' : (provider?.userField ?? 'safety_identifier')
  const anonymous = pseudonymizeUser(request, { field, id: pseudonym })
  return {
    ...withParameters(injectContext(anonymous, contextText), settings.parameters),
    model: settings.model ?? undefined,
  }
}

/** What an answer depends on: the request with the user's parameters, what it runs on, and what the model is told. */
export function answerParts(
  request: ChatRequest,
  { settings, context }: Target & { readonly context: ResolvedContext },
): TurnParts {
  const { provider, model, region, deployment, baseURL } = settings
  return {
    request: withParameters(request, settings.parameters),
    target: { provider, model, region, deployment, baseURL },
    context: context.digest,
  }
}
