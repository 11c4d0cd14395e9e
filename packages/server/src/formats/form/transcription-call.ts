import { createModelRewriter, type EndpointCall } from 'purser/internal'
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
    isSentOnce: true,
    prepare: (upstream) => ({
      headers: { 'content-type': upload.contentType },
      body: upload.encode(upstream.model),
    }),
    rewrite: model === undefined ? (json) => json : createModelRewriter(model),
    readUsage: ({ usage }) => toUsage(usage),
    textMembers: ['"delta":'],
    formatError: (error) => `data: ${JSON.stringify({ error })}\n\n`,
  }
}
