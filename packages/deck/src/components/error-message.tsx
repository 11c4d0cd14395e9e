import './error-message.css'
import type { ReactElement } from 'react'
import { ApiError } from '../api/client.ts'
import { Button } from './button.tsx'

/** An error with its hint, code and request id, and a button that retries. */
export function ErrorMessage({ error, retry }: { error: unknown; retry?: (() => void) | undefined }): ReactElement {
  const apiError = error instanceof ApiError ? error : undefined
  return (
    <div className="error-message" role="alert">
      <p>
        <strong>{apiError?.message ?? 'An unexpected error occurred on this page.'}</strong>
      </p>
      {apiError?.hint !== undefined && <p>{apiError.hint}</p>}
      <p className="small">
        {apiError?.code ?? String(error)}
        {apiError?.requestId !== undefined && ` · request ${apiError.requestId}`}
      </p>
      {retry !== undefined && <Button onClick={retry}>Try again</Button>}
    </div>
  )
}
