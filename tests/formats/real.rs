//! nibabel's own volumes, against hashes of what nibabel 5.4.2 reads from them.

use std::collections::BTreeSet;

use voxload::{DataobjImage, StoredArray};

use super::manifest::oracle_folder;
use super::{digest, options};
use crate::support::backend::Backend;

/// File, options, shape, stored type, and the SHA-256 of the affine, of all values as f32 and as f64.
const VOLUMES: &[[&str; 7]] = &[
    [
        "anatomical.nii",
        "",
        "[33, 41, 25]",
        "int16",
        "bac4cc26ed5cf744",
        "a30adcd615b9289f8b101b2c59c29e891540bfb5ee23c2270aba9c39481f102f",
        "ea4d957803aa68ef9ecba80026c8c03747c5eff9a644983d5405b5bace6dd014",
    ],
    [
        "functional.nii",
        "",
        "[17, 21, 3, 20]",
        "int16",
        "93a18587375605df",
        "0464ab605a2a3e72cefa2f43448927662e573cab8aeaa9f2abc1a954ce88fa5e",
        "a501e99699a9a95f57cc11d8c81460aee3d37fb8bbb6367b18533c3faf687afa",
    ],
    [
        "example4d.nii.gz",
        "",
        "[128, 96, 24, 2]",
        "int16",
        "e308624aef8cb83e",
        "80fa66eb36babd728c4d6c4b3356952c77fe3b4e775f666374f40911215254ee",
        "1271c717c47a53b35967fba5c9f80c7e9bc93455586f138464020291b8c78943",
    ],
    [
        "standard.nii.gz",
        "",
        "[4, 5, 7]",
        "uint8",
        "52a5369d22da7e0d",
        "63c5454014c0c724e2167b9eb98d4954d322bd5fbde1412cae82e9b2a9a49199",
        "2b373a582e55ecc52f3bce49f810b64662f0d23dd290f105a62421039402067e",
    ],
    [
        "reoriented_anat_moved.nii",
        "",
        "[21, 26, 22]",
        "float32",
        "abb59c00ece40844",
        "eb44bfa9c00d851f37b52fc4d3219776b451c2fb5e7f3139f926ddc94bc4a054",
        "c5a027b78fc15af1e24462edf9fc0a718f397587b1ace5d6107df716f0965868",
    ],
    [
        "resampled_anat_moved.nii",
        "",
        "[17, 21, 3]",
        "float32",
        "93a18587375605df",
        "6fbc2d03c21dfd61973d558a387bbb54907b04beeb6062ba24bac67601e0eb87",
        "9bc9c5b6394f58c0aabe3056210f7877c0289eb1f362b74a661c685aac57e40d",
    ],
    [
        "example_nifti2.nii.gz",
        "",
        "[32, 20, 12, 2]",
        "int16",
        "e308624aef8cb83e",
        "7f1cb099ce2873e6d038bafa6360dc782f42f736daaf02e132c909f1a7e2d84d",
        "b7ea11150141e5f1324ca21a3255dd2e492e5a08dfc44ea5a3cfcb9d989a821d",
    ],
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

/// Volumes and options with a hash.
const ALL: usize = if cfg!(feature = "minc2") { 27 } else { 21 };

#[test]
fn nibabels_volumes_have_its_bits() {
    let Some(folder) = oracle_folder("nibabel's volumes") else {
        return;
    };
    let backends = Backend::available("nibabel's volumes");
    let mut hashes = BTreeSet::new();
    for &[file, names, shape, dtype, affine, f32s, f64s] in VOLUMES.iter().chain(MINC2) {
        let image =
            DataobjImage::from_filename(folder.join("real").join(file), &options(names)).unwrap();
        let name = format!("{file} {names}");
        assert_eq!(format!("{:?}", image.shape()), shape, "{name}");
        assert_eq!(image.dataobj().dtype().name(), dtype, "{name}");
        let found = image.affine().map_or("-".to_owned(), affine_digest);
        assert_eq!(found, affine, "{name}: affine {:?}", image.affine());
        for &backend in &backends {
            let narrow: StoredArray = backend.read::<f32>(&image).unwrap().into();
            assert_eq!(digest(&narrow), f32s, "{name} f32 on {backend:?}");
            let wide: StoredArray = backend.read::<f64>(&image).unwrap().into();
            assert_eq!(digest(&wide), f64s, "{name} f64 on {backend:?}");
        }
        hashes.insert((
            file.trim_end_matches("BRIK.gz").trim_end_matches("HEAD"),
            names,
        ));
    }
    // The two files of an AFNI volume are one row.
    assert_eq!(hashes.len(), ALL, "{hashes:?}");
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
