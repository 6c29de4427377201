/// Certificates with their keys, made for tests: valid until 2126 unless said otherwise, and trusted by nobody.
enum TestPair {
    /// For `one.example.com`, ECDSA; signed by itself.
    static let one = (
        certificate: """
        -----BEGIN CERTIFICATE-----
        MIIBqDCCAU2gAwIBAgIUbO7ZCcKyBRbiiu4q4luF+BYIsjMwCgYIKoZIzj0EAwIw
        GjEYMBYGA1UEAwwPb25lLmV4YW1wbGUuY29tMCAXDTI2MTEyMTE5MDIwM1oYDzIx
        MjYxMDI4MTkwMjAzWjAaMRgwFgYDVQQDDA9vbmUuZXhhbXBsZS5jb20wWTATBgcq
        hkjOPQIBBggqhkjOPQMBBwNCAASyNexayUx/9GeMZ3C8p9BcPPIKVqOBBH+OzOkl
        OYkQ9nKT7yZ5KMM5A+zAgD+i0Te0inbAXvLoa8ht4/TutzXOo28wbTAdBgNVHQ4E
        FgQUTQFb0Yo5AakKR2Sk6IyX9oJ0CpIwHwYDVR0jBBgwFoAUTQFb0Yo5AakKR2Sk
        6IyX9oJ0CpIwDwYDVR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgg9vbmUuZXhhbXBs
        ZS5jb20wCgYIKoZIzj0EAwIDSQAwRgIhAO7WfWqKFXuu2QYCCNR3L/QcPELSxpFy
        eBa4hnQ1yZI7AiEAn9KJW+bwI3ttzXRm4VVpnbuknOoisUd06pOJTryi2bQ=
        -----END CERTIFICATE-----
        """,
        key: """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgdNNQMpMUHsI9X8xi
        tyzPrglhb6WwPfHrIipC0pP//hehRANCAASyNexayUx/9GeMZ3C8p9BcPPIKVqOB
        BH+OzOklOYkQ9nKT7yZ5KMM5A+zAgD+i0Te0inbAXvLoa8ht4/TutzXO
        -----END PRIVATE KEY-----
        """
    )

    /// For `two.example.com`, likewise.
    static let two = (
        certificate: """
        -----BEGIN CERTIFICATE-----
        MIIBpzCCAU2gAwIBAgIUVWvMCS/KvCkt+v66xDoUr3dDKpMwCgYIKoZIzj0EAwIw
        GjEYMBYGA1UEAwwPdHdvLmV4YW1wbGUuY29tMCAXDTI2MTEyMTE5MDIwM1oYDzIx
        MjYxMDI4MTkwMjAzWjAaMRgwFgYDVQQDDA90d28uZXhhbXBsZS5jb20wWTATBgcq
        hkjOPQIBBggqhkjOPQMBBwNCAASa8A6wM+c4kZYP8LAOLLGXdFBBsyWLb1a8sAO3
        ucubOa3bBwXfM5G60/9wsJp5byJsNFMcUDcnqod6ZA6r++v3o28wbTAdBgNVHQ4E
        FgQUw2EEswgwt/BOGub0D22a+26lEWEwHwYDVR0jBBgwFoAUw2EEswgwt/BOGub0
        D22a+26lEWEwDwYDVR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgg90d28uZXhhbXBs
        ZS5jb20wCgYIKoZIzj0EAwIDSAAwRQIgZNE5aZ2ReN2YcT1FOtBMF8r7D3JuoRi+
        ALdpWi9PvWwCIQCrBk8cCTXVoKsUm5K8YLzosNJcLr3noQbJ/FE2/+awOg==
        -----END CERTIFICATE-----
        """,
        key: """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgfbhhvHNa0+rL1gaA
        zs1jeshRTqsQmSB4jSivp3zt8PehRANCAASa8A6wM+c4kZYP8LAOLLGXdFBBsyWL
        b1a8sAO3ucubOa3bBwXfM5G60/9wsJp5byJsNFMcUDcnqod6ZA6r++v3
        -----END PRIVATE KEY-----
        """
    )

    /// For `rsa.example.com`, RSA.
    static let rsa = (
        certificate: """
        -----BEGIN CERTIFICATE-----
        MIIDMzCCAhugAwIBAgIUch34qyYwoN7AG3GoOtCe0lEASFYwDQYJKoZIhvcNAQEL
        BQAwGjEYMBYGA1UEAwwPcnNhLmV4YW1wbGUuY29tMCAXDTI2MTEyMTE5MDIwNFoY
        DzIxMjYxMDI4MTkwMjA0WjAaMRgwFgYDVQQDDA9yc2EuZXhhbXBsZS5jb20wggEi
        MA0GCSqGSIb3DQEBAQUAA4IBDwAwggEKAoIBAQDYabs1D5dyPN0KaJMHVmR+Ca/X
        e9bNiXXAIbf/n8HqelIi4BILd7cNYvbdx4WPW/AejCV3koCKQoHbbjsMYfMmkX1r
        illk13+cMXrs9v+bvuSNIxdAgSbSK05xMlK0ChmP0FB2OYP7KrsAn2pedU8PtJfq
        FpMMKXD9muvv9zQxR8bwF8ftOQz08ahiN9h0e8ps2Twxu739wOnQoTsnIuZGvRf4
        1czdfsQafUDQuaHVLVDRJvQUUUs4quOk6fdDNV3GuJZN0vxo+Df7Q+Yd63/Jjlwy
        jbvNtsCJZBPKu8YJZYuHOs5Znhj7trNY4S8vbY653Xe06AgZSQ18IfjJG/CXAgMB
        AAGjbzBtMB0GA1UdDgQWBBTc/SRxyxaxXwCHpE1MFGoTQZRHADAfBgNVHSMEGDAW
        gBTc/SRxyxaxXwCHpE1MFGoTQZRHADAPBgNVHRMBAf8EBTADAQH/MBoGA1UdEQQT
        MBGCD3JzYS5leGFtcGxlLmNvbTANBgkqhkiG9w0BAQsFAAOCAQEAEMaYNTfygUat
        aL30pkDaWAn1JH9EZdXPfi2gcCb8mOYlyxgWg6MfWBUzS0u2aV+iIG5qrfD5vEWd
        QIM4v4tbF8hrggv9Re8a7UEn8IDIQepKnLkon38qW8Um0Nml0R8EorD94En3NsZP
        bUbWFCL4GHcPPjxbzmM1nvw+CfrxeFhlTvIu069AL3QgojlRyV8cSncyHkDRy00N
        2qNYySZHqCs6p984dFa8ptt4Bd+sV0Fteaf+Mst8GlmP7wn+EJEjTu6oDFeYkzYn
        /PMLFHYFB1sLzhETOHGpyirtAAPiOhUQLz9oXYly01jBblYSZ0SLw/rjZog62jSM
        mPGktXr/5g==
        -----END CERTIFICATE-----
        """,
        key: """
        -----BEGIN PRIVATE KEY-----
        MIIEvgIBADANBgkqhkiG9w0BAQEFAASCBKgwggSkAgEAAoIBAQDYabs1D5dyPN0K
        aJMHVmR+Ca/Xe9bNiXXAIbf/n8HqelIi4BILd7cNYvbdx4WPW/AejCV3koCKQoHb
        bjsMYfMmkX1rillk13+cMXrs9v+bvuSNIxdAgSbSK05xMlK0ChmP0FB2OYP7KrsA
        n2pedU8PtJfqFpMMKXD9muvv9zQxR8bwF8ftOQz08ahiN9h0e8ps2Twxu739wOnQ
        oTsnIuZGvRf41czdfsQafUDQuaHVLVDRJvQUUUs4quOk6fdDNV3GuJZN0vxo+Df7
        Q+Yd63/JjlwyjbvNtsCJZBPKu8YJZYuHOs5Znhj7trNY4S8vbY653Xe06AgZSQ18
        IfjJG/CXAgMBAAECggEAROri3cJx2cTtJX/o9qi6BvNBxs8euETCtWVniaXQJMJA
        fu+5f2Jn7oDqGfWMoHtITAoYcmw6uAz2+rCvaEGXI9yoQsODtVv1PQH64hTEkM4p
        TZLzuCyI9twotl6uvLwMqOJPhV7Km4VfmRKrVppoC5nY2QjIWlKmM3UPFtO0EM7z
        KjioESJoAbOnrfs7zc/PSGKsNhKv2VvUiyAgL6cHTQnDvyyCDaV0cClmtheEpfL6
        eo/L000X4sXDqltwYOPDnrXq3g05frtv25PARiT5R7RRpqEeromokUCoLM1C+3/6
        YbsqOpH/xniPp+PJ8jNxLoE0YFIh1m+qv61M2by+3QKBgQD54NUSTCaFRsAPX1vg
        UGPsBt9tKKwny4rA8jP2IjgVFx/lPi4MbMwdcDixVBSoZ++mJE+fFmWE01JfzA+V
        oA2mzLLv+4pqoL3RftGIjJUNirzz9LIziswYtHgpuw13OXaBvfPPiMRer3R6IjHl
        V7xO3LKPJBrhsxryN2aUXX3CEwKBgQDdtwOiMjMD3H1+6dAavj8Lqf+EdeSstcUE
        p1gAoddYYd+om3WcdjlAkqIKyTZ9jsfxissMgpxX7DjehEh0Y2AuhDMNQL94cm8A
        ol25M/orUHrgrVjbhZjh2f842NcA25yP81GhblUXB7SSo+1sqorL8ADt26+XxJSA
        dbENNTRH7QKBgQCxnFz3J4eN3g8wHhDZLWsI3o27MljD5IqYwM+sWQBSBWDXek4S
        6NZg6l5xtRkF5vLRvieWJb49HlQD4bEGIoDxmbhqmfn19pFVsnXPQFXGDWJnaPut
        ZS/TM5vh1aIpp3+TkugVENq7jq0VDu82XBluWLLWycwNt1gk6LoSJS35XwKBgAa8
        U6Du03vvi+R6J/dYBkRNctTMXBkfIJAmoVbLk+Y8evX9WxJYyR58Fe4r9LrVxp9A
        7zA/G47UP1oLPMREbJydKYvihq6bE2I6jIxe1t/P/xuqSIPKyD08STOp6sY85cG9
        y6IS3wTnGAZIcqMVf0f4z55qSShcMYLBkJJtJlx1AoGBAKwwkOGMB6NpxyZp8vo6
        E1aARZeB/HvRmmx3e1j18yAOqD7vDjNQG+GVO7DHVua5JarcIsyo5qeaLChoko2D
        DhwVkR371Gzpq6N8DnOHZk/nHwIjSGDlVOHWlThDBvFBVhA2tVjKtnPBFjOYZZPf
        cHxUxH67PocFaI/GsBiNJol4
        -----END PRIVATE KEY-----
        """
    )

    /// For `old.example.com`; valid from 2020-01-01 to 2021-01-01.
    static let old = (
        certificate: """
        -----BEGIN CERTIFICATE-----
        MIIBIDCByAIBATAKBggqhkjOPQQDAjAgMR4wHAYDVQQDDBVhdXRob3JpdHkuZXhh
        bXBsZS5jb20wHhcNMjAwMTAxMDAwMDAwWhcNMjEwMTAxMDAwMDAwWjAaMRgwFgYD
        VQQDDA9vbGQuZXhhbXBsZS5jb20wWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASc
        5oPO4ZCKdy+GQJK4aj9+RBma0fgKp6NG0vX/62ux1hrIbt1rRBa3ZElf3oXNZd8A
        ds39qxsS9tGVQca46ynUMAoGCCqGSM49BAMCA0cAMEQCIE9gNXGya4ip2YCVo0D1
        R2EDmlbINxwVXR/vQZ/86Vm/AiBeTx7/JXPPRfarhRYH0CHHLE2P1QJYBpzhilGV
        WgMthQ==
        -----END CERTIFICATE-----
        """,
        key: """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg3Zadob6xwjAX6ROp
        7N40G4cw11cw/U//fQInJYX2I+2hRANCAASc5oPO4ZCKdy+GQJK4aj9+RBma0fgK
        p6NG0vX/62ux1hrIbt1rRBa3ZElf3oXNZd8Ads39qxsS9tGVQca46ynU
        -----END PRIVATE KEY-----
        """
    )

    /// Signs others.
    static let authority = (
        certificate: """
        -----BEGIN CERTIFICATE-----
        MIIBujCCAV+gAwIBAgIUKIWsoc6YJjO1+W3L5zc3xwZ3qHcwCgYIKoZIzj0EAwIw
        IDEeMBwGA1UEAwwVYXV0aG9yaXR5LmV4YW1wbGUuY29tMCAXDTI2MTEyMTE5MDIw
        M1oYDzIxMjYxMDI4MTkwMjAzWjAgMR4wHAYDVQQDDBVhdXRob3JpdHkuZXhhbXBs
        ZS5jb20wWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAS3P5ScbKPkvAib636U34Ba
        NR95fgtf4bTSsB8S/JSAVB1msJybrtjoRfhY9yLGyuqSZRbq6fU1OfLLV1+NT7os
        o3UwczAdBgNVHQ4EFgQU8faNBfbKZ++KLJZPfVzW5fnob9wwHwYDVR0jBBgwFoAU
        8faNBfbKZ++KLJZPfVzW5fnob9wwDwYDVR0TAQH/BAUwAwEB/zAgBgNVHREEGTAX
        ghVhdXRob3JpdHkuZXhhbXBsZS5jb20wCgYIKoZIzj0EAwIDSQAwRgIhAOJmE8v3
        hs3XAcdc8lF7nWF+LrN31q0MDLFwI/zdzZUpAiEAr2vzFhL9pThREO2an94NVNkw
        v33lm6Km1NxU9HAdQTQ=
        -----END CERTIFICATE-----
        """,
        key: """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgrl9TVWm3rfaHc+Ni
        67Oi4f5dp/jfCirp8cFD4RwiWR+hRANCAAS3P5ScbKPkvAib636U34BaNR95fgtf
        4bTSsB8S/JSAVB1msJybrtjoRfhY9yLGyuqSZRbq6fU1OfLLV1+NT7os
        -----END PRIVATE KEY-----
        """
    )
}
