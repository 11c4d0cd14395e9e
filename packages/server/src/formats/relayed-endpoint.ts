import type { EndpointCall, UserField } from 'purser/internal'
import { echoModel } from './echo-model.ts'
import { type Fields, modelOf, replaceUser } from './request-body.ts'
import { toUsage } from './token-usage.ts'

/** OpenAI's endpoints whose requests and answers pass as they are. */
export const RELAYED_ENDPOINTS = [
  'embeddings',
  'moderations',
  'completions',
  'images/generations',
  'audio/speech',
] as const

export type RelayedEndpoint = (typeof RELAYED_ENDPOINTS)[number]

interface Traits {
  /** Whether requests have a field for the user. */
  readonly hasUser: boolean
  readonly textMembers: readonly string[]
}

const TRAITS: Readonly<Record<RelayedEndpoint, Traits>> = {
  embeddings: { hasUser: true, textMembers: [] },
  moderations: { hasUser: false, textMembers: [] },
  completions: { hasUser: true, textMembers: ['"text":'] },
  'images/generations': { hasUser: true, textMembers: [] },
  'audio/speech': { hasUser: false, textMembers: [] },
}

/** A JSON request that a provider gets as it is, but for the model and the user. Its answer passes in any form. */
export function createRelayedCall(endpoint: RelayedEndpoint, body: Fields): EndpointCall {
  const { hasUser, textMembers } = TRAITS[endpoint]
  const model = modelOf(body)
  return {
    endpoint,
    model,
    body,
    hasPrompt: false,
    prepare({ model: upstreamModel, pseudonym }) {
      const field: UserField = hasUser && pseudonym.field !== 'none' ? 'user' : 'none'
      const request = { ...replaceUser(body, { ...pseudonym, field }), model: upstreamModel }
      return { headers: { 'content-type': 'application/json' }, body: request }
    },
    ...echoModel(model),
    readUsage: toUsage,
    textMembers,
    formatError: (error) => `data: ${JSON.stringify({ error })}\n\n`,
  }
}
