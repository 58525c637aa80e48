import { Identity, identityTls, known, type SockOptions } from 'socktools'

/** Options of the commands that prove who they are. */
export interface Secured {
  /** The file of a private key. */
  readonly identity?: string
  /** Ids. */
  readonly trust?: readonly string[]
  readonly insecure?: boolean
}

export async function securityOf({
  identity: file,
  trust,
  insecure,
}: Secured): Promise<Pick<SockOptions, 'security' | 'trust' | 'insecure'>> {
  const identity = file === undefined ? undefined : await Identity.load(file)
  return {
    ...(identity === undefined ? {} : { security: identityTls(() => identity) }),
    ...(trust === undefined ? {} : { trust: known({ ids: trust }) }),
    ...(insecure === undefined ? {} : { insecure }),
  }
}
