import type { EndpointCall } from 'purser/internal'

/** Answers name the model as the client has requested it. */
export function echoModel(model: string | undefined): Pick<EndpointCall, 'isRewritten' | 'rewrite'> {
  return {
    isRewritten: (text) => model !== undefined && text.includes('"model"'),
    rewrite: (json) => (json.has('model') ? json.with({ model }) : json.text),
  }
}
