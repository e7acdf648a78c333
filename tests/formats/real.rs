//! nibabel's own volumes, against the table of spec 5.3.

use voxload::{DataobjImage, StoredArray};

use super::{digest, options, oracle_folder};

/// File, options, shape, stored type, and the SHA-256 of the affine, of all values as f32 and as f64.
const VOLUMES: &[[&str; 7]] = &[
    [
        "test.mgz",
        "",
        "[3, 4, 5, 2]",
        "float32",
        "1416000f630426c4",
        "c714e3e65ccfaeeaf81126b55f57d69374af81aa9a59c2ffa919c93df069ada5",
        "305abd440792eac27ec25f2a5d4ac0021cf84ca51689cf0856a02b3f5b36cff3",
    ],
    [
        "example4d+orig.HEAD",
        "",
        "[33, 41, 25, 3]",
        "int16",
        "aa78247a5ebc138e",
        "616d3b0485c5d68448f2fbe905041ee3c0110b53d2cb35b29c2a0e1a45ee43bf",
        "52d331d7995cb06f0cd19b695558068639aafd8f15fec65a10309c8a67f2cb1f",
    ],
    [
        "example4d+orig.BRIK.gz",
        "",
        "[33, 41, 25, 3]",
        "int16",
        "aa78247a5ebc138e",
        "616d3b0485c5d68448f2fbe905041ee3c0110b53d2cb35b29c2a0e1a45ee43bf",
        "52d331d7995cb06f0cd19b695558068639aafd8f15fec65a10309c8a67f2cb1f",
    ],
    [
        "scaled+tlrc.HEAD",
        "",
        "[47, 54, 43, 1]",
        "int16",
        "abc65142cf0fa738",
        "bb229a820524b94bcc54f2527c0ce52fbff2fdb7dab34c5b8410fd6fdb4715c8",
        "f6dd9500aeb3df0fc0870db81d43c46f59f8e5191564936a66c023507a5d3913",
    ],
    [
        "phantom_EPI_asc_CLEAR_2_1.PAR",
        "",
        "[64, 64, 9, 3]",
        "uint16",
        "b094dfaf2468124f",
        "7dc73f8ca64f7dafc3eafda29bc879486fcfb746acb14aa912dbeb5fca5a9a65",
        "ba2b91617872b7e4d853fb26aee9f2881a51a6998ca143f7d13779f519eb6f79",
    ],
    [
        "phantom_varscale.PAR",
        "",
        "[64, 64, 9, 3]",
        "uint16",
        "b094dfaf2468124f",
        "2e00bc11604e8dcc135e29682769fe71c0dc4cbbb654e4ace1036e9ee252ae56",
        "9a27c627b98375684f3d6028622cc42aacfc7dde2d6023af7a24f43aab838b6f",
    ],
    [
        "phantom_truncated.PAR",
        "permit_truncated",
        "[64, 64, 9, 3]",
        "uint16",
        "b094dfaf2468124f",
        "7dc73f8ca64f7dafc3eafda29bc879486fcfb746acb14aa912dbeb5fca5a9a65",
        "ba2b91617872b7e4d853fb26aee9f2881a51a6998ca143f7d13779f519eb6f79",
    ],
    [
        "phantom_EPI_asc_CLEAR_2_1.PAR",
        "fp",
        "[64, 64, 9, 3]",
        "uint16",
        "b094dfaf2468124f",
        "f78c9f2a8cc6398965b5f32674c44d9dfab7ef5a8c01d0d177dc8fbe76644899",
        "7fecedf1ec6231e750336ab07405527af636699d5e55cf74e2ebe3f56dad31d2",
    ],
    [
        "phantom_varscale.PAR",
        "fp",
        "[64, 64, 9, 3]",
        "uint16",
        "b094dfaf2468124f",
        "3ad33043a1304dbf1d28fe14d551a778e7dbb63922b0b0f0aa0e451abcdd58b6",
        "529b5e3972edb417be51588e23b3c06661ee4c43e2277310b962cca6d8794597",
    ],
    [
        "tiny.mnc",
        "",
        "[10, 20, 20]",
        "uint8",
        "c0c31590efb96b79",
        "e5ea79206d0c28e03bba5e9cbd30d6b74fd8f827e01b7102c5d05057c181286b",
        "ceef21eeeba6e11ba3066bb827f3d3d92f1d6b6d3f35072a2777ab3106369164",
    ],
    [
        "minc1_1_scale.mnc",
        "",
        "[10, 20, 20]",
        "uint8",
        "c0c31590efb96b79",
        "02d752f554a550b2a560e0374fbb917feaa0ae30f7fab822273e11406d6b6222",
        "c16f18ea4a8a3d99758726eddb8c22cea51e0486aa8706898124d28e3c1f5cc2",
    ],
    [
        "minc1_4d.mnc",
        "",
        "[2, 10, 20, 20]",
        "uint8",
        "c0c31590efb96b79",
        "6b9caea005b1eb209d51137cd6b59b1dbd16fa2e2b0e9213fb73577d1d4f45b2",
        "2fe462f2d961abb7dcdb18252eaae0c9cc8081dee7205934a69c895b2a0bbdfb",
    ],
    [
        "minc1-no-att.mnc",
        "",
        "[10, 20, 20]",
        "uint8",
        "ed0d1425e5df64a3",
        "86c1fd5c9e90de77c6ab2acad9a5f0e3e9afbddcba3733f61975e5f4fabbc9d6",
        "27348c1c7bafcddc511e80c963847e5cbcfae93dcd3f519af742767bc2e6e6fd",
    ],
    [
        "row_major.dconn.nii",
        "",
        "[10, 10]",
        "float32",
        "-",
        "7613d169e86d185adf7a170b3a2613a0a02c72aa53e92bf5f2a4f74f00a3c2fc",
        "aaafabbde72822cc21286048c994dc18a07f9e808e53eac90fcaa0794cfb2cb2",
    ],
    [
        "tinypet.v",
        "",
        "[10, 10, 3, 1]",
        "int16",
        "2433f001919fc260",
        "03a38cc4283bd85de6ae4b7ead7bf2c34bbb454186dc631a8492d185209c5eee",
        "dab899bccb242760173a7058c29e45c90c28f88c350857109208a20127ecffd3",
    ],
];

#[cfg(feature = "minc2")]
const MINC2: &[[&str; 7]] = &[
    [
        "small.mnc",
        "",
        "[18, 28, 29]",
        "int16",
        "a94644e6837a919f",
        "108736466c4a18d32b6b126c35d2f872019d9dd116330d1d5803c4c099bb4718",
        "28e0d565aceaa166e78cadb297bbf088ab81671e17858de8bf24a5d65c6218f3",
    ],
    [
        "minc2_1_scale.mnc",
        "",
        "[10, 20, 20]",
        "uint8",
        "c0c31590efb96b79",
        "02d752f554a550b2a560e0374fbb917feaa0ae30f7fab822273e11406d6b6222",
        "c16f18ea4a8a3d99758726eddb8c22cea51e0486aa8706898124d28e3c1f5cc2",
    ],
    [
        "minc2_4d.mnc",
        "",
        "[2, 10, 20, 20]",
        "uint8",
        "c0c31590efb96b79",
        "6b9caea005b1eb209d51137cd6b59b1dbd16fa2e2b0e9213fb73577d1d4f45b2",
        "2fe462f2d961abb7dcdb18252eaae0c9cc8081dee7205934a69c895b2a0bbdfb",
    ],
    [
        "minc2-no-att.mnc",
        "",
        "[10, 20, 20]",
        "uint8",
        "ed0d1425e5df64a3",
        "86c1fd5c9e90de77c6ab2acad9a5f0e3e9afbddcba3733f61975e5f4fabbc9d6",
        "27348c1c7bafcddc511e80c963847e5cbcfae93dcd3f519af742767bc2e6e6fd",
    ],
    [
        "minc2-4d-d.mnc",
        "",
        "[5, 16, 16, 16]",
        "float64",
        "7f814f0abf41d8cf",
        "d79a420daeca528f0d906f43413abc134aa892a45bc06f6dc372ff925468a9b3",
        "af72abf13f99920ad414cd966cbae073c7ce50aa742e2a3bb74555ffe995239d",
    ],
    [
        "minc2_baddim.mnc",
        "",
        "[10, 10, 10]",
        "int16",
        "275fbceb77974ec6",
        "58f651802c2806715aec1852da5ea757d4c9b02e2926c0381c4a5f501f6c5ff2",
        "f1478a05d5253abf73ad3a06b648144aadcd220b6c078ea9fd36323440a8221d",
    ],
];
#[cfg(not(feature = "minc2"))]
const MINC2: &[[&str; 7]] = &[];

#[test]
fn nibabels_volumes_have_its_bits() {
    let Some(folder) = oracle_folder("nibabel's volumes") else {
        return;
    };
    for &[file, names, shape, dtype, affine, f32s, f64s] in VOLUMES.iter().chain(MINC2) {
        let image =
            DataobjImage::from_filename(folder.join("real").join(file), &options(names)).unwrap();
        let told = format!("{file} {names}");
        assert_eq!(format!("{:?}", image.shape()), shape, "{told}");
        assert_eq!(image.dataobj().dtype().name(), dtype, "{told}");
        let found = image.affine().map_or("-".to_owned(), affine_digest);
        assert_eq!(found, affine, "{told}: affine {:?}", image.affine());
        let narrow: StoredArray = image.dataobj().read::<f32>().unwrap().into();
        assert_eq!(digest(&narrow), f32s, "{told} f32");
        let wide: StoredArray = image.dataobj().read::<f64>().unwrap().into();
        assert_eq!(digest(&wide), f64s, "{told} f64");
    }
}

fn affine_digest(affine: &voxload::Affine) -> String {
    use sha2::{Digest, Sha256};
    let bytes: Vec<u8> = affine
        .as_flattened()
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    let hash = Sha256::digest(bytes);
    hash.iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
