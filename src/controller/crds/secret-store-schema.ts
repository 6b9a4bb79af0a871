import {
  boolean,
  conditions,
  free,
  freeList,
  list,
  namespaceName,
  object,
  objectName,
  oneOf,
  type Structural,
  string,
  stringMap,
} from './structural.ts'

const secretKeySelector = object({ name: objectName, key: string(), namespace: namespaceName })
const serviceAccountSelector = object(
  { name: objectName, namespace: namespaceName, audiences: list(string()) },
  { required: ['name'] },
)

const kubernetesAuth = object(
  {
    mountPath: string({ default: 'kubernetes' }),
    role: string(),
    serviceAccountRef: serviceAccountSelector,
    secretRef: secretKeySelector,
  },
  { required: ['mountPath', 'role'] },
)

/** The methods that we don't implement are kept as they are, and the store says that it can't use them. */
const vaultAuth = object({
  namespace: string(),
  tokenSecretRef: secretKeySelector,
  kubernetes: kubernetesAuth,
  appRole: free,
  cert: free,
  gcp: free,
  iam: free,
  jwt: free,
  ldap: free,
  userPass: free,
})

const vault = object(
  {
    server: string(),
    path: string(),
    version: string({ enum: ['v1', 'v2'], default: 'v2' }),
    namespace: string(),
    auth: vaultAuth,
    caBundle: string({ format: 'byte' }),
    caProvider: object(
      { type: oneOf('Secret', 'ConfigMap'), name: objectName, key: string(), namespace: namespaceName },
      { required: ['name', 'type'] },
    ),
    tls: object({ certSecretRef: secretKeySelector, keySecretRef: secretKeySelector }),
    headers: stringMap,
    readYourWrites: boolean,
    forwardInconsistent: boolean,
    checkAndSet: object({ required: boolean }),
  },
  { required: ['server'] },
)

/** Every provider key of ESO 0.8 to 2.9; a store of a kind that we lack is accepted and reported, not rejected. */
const otherProviders =
  `akeyless alibaba aws azurekv barbican beyondtrust beyondtrustworkloadcredentials bitwardensecretsmanager chef cloudrusm
  conjur crd delinea device42 doppler dvls fake fortanix gcpsm github gitlab ibm infisical keepersecurity kubernetes
  nebiusmysterybox ngrok onboardbase onepassword onepasswordSDK openBao oracle ovh passbolt passworddepot previder pulumi
  scaleway secretserver senhasegura volcengine webhook yandexcertificatemanager yandexlockbox`.split(/\s+/)

const provider: Structural = {
  ...object(
    { ...Object.fromEntries(otherProviders.map((name) => [name, free])), vault },
    { minProperties: 1, maxProperties: 1 },
  ),
  'x-kubernetes-preserve-unknown-fields': true,
}

const spec = object(
  {
    controller: string(),
    provider,
    refreshInterval: { 'x-kubernetes-int-or-string': true },
    retrySettings: object({ maxRetries: { type: 'integer', format: 'int32' }, retryInterval: string() }),
    conditions: freeList,
  },
  { required: ['provider'] },
)

export const secretStoreSchema: Structural = object(
  {
    apiVersion: string(),
    kind: string(),
    metadata: { type: 'object' },
    spec,
    status: object({ capabilities: string(), conditions }),
  },
  { description: 'Where ExternalSecrets of this namespace read from, and as whom.' },
)
