import { Identity, identityTls, type SockOptions } from 'socktools'

/** Options of the commands that speak wire v1. */
export interface Secured {
  /** The file of a private key. */
  readonly identity?: string
  readonly insecure?: boolean
}

export async function securityOf({
  identity: file,
  insecure,
}: Secured): Promise<Pick<SockOptions, 'security' | 'insecure'>> {
  const identity = file === undefined ? undefined : await Identity.load(file)
  return {
    ...(identity === undefined ? {} : { security: identityTls(() => identity) }),
    ...(insecure === undefined ? {} : { insecure }),
  }
}
