import type { EndpointCall } from 'purser/internal'
import { echoModel } from '../echo-model.ts'
import { modelOf } from '../request-body.ts'
import { toUsage } from '../token-usage.ts'
import type { Upload } from './upload.ts'

/** A form with a recording, which passes to the provider as it arrives. */
export function createTranscriptionCall(upload: Upload): EndpointCall {
  const { fields } = upload
  const model = modelOf(fields)
  return {
    endpoint: 'audio/transcriptions',
    model,
    body: fields,
    hasPrompt: false,
    isSpent: () => upload.isSpent,
    prepare: (upstream) => ({
      headers: { 'content-type': upload.contentType },
      body: upload.encode(upstream.model),
    }),
    ...echoModel(model),
    readUsage: toUsage,
    textMembers: ['"delta":'],
    formatError: (error) => `data: ${JSON.stringify({ error })}\n\n`,
  }
}
