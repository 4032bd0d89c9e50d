// Written by `update`.

use core::ffi::*;

#[repr(C)]
#[derive(Debug)]
pub struct sqlite3 {
    _unused: [u8; 0],
}
pub type sqlite_int64 = c_longlong;
pub type sqlite_uint64 = c_ulonglong;
pub type sqlite3_int64 = sqlite_int64;
pub type sqlite3_uint64 = sqlite_uint64;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct sqlite3_mem_methods {
    pub xMalloc: Option<unsafe extern "C" fn(arg1: c_int) -> *mut c_void>,
    pub xFree: Option<unsafe extern "C" fn(arg1: *mut c_void)>,
    pub xRealloc: Option<unsafe extern "C" fn(arg1: *mut c_void, arg2: c_int) -> *mut c_void>,
    pub xSize: Option<unsafe extern "C" fn(arg1: *mut c_void) -> c_int>,
    pub xRoundup: Option<unsafe extern "C" fn(arg1: c_int) -> c_int>,
    pub xInit: Option<unsafe extern "C" fn(arg1: *mut c_void) -> c_int>,
    pub xShutdown: Option<unsafe extern "C" fn(arg1: *mut c_void)>,
    pub pAppData: *mut c_void,
}
#[repr(C)]
#[derive(Debug)]
pub struct sqlite3_stmt {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug)]
pub struct sqlite3_value {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug)]
pub struct sqlite3_context {
    _unused: [u8; 0],
}
pub type sqlite3_destructor_type = Option<unsafe extern "C" fn(arg1: *mut c_void)>;
#[repr(C)]
#[derive(Debug)]
pub struct sqlite3_pcache {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct sqlite3_pcache_page {
    pub pBuf: *mut c_void,
    pub pExtra: *mut c_void,
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct sqlite3_pcache_methods2 {
    pub iVersion: c_int,
    pub pArg: *mut c_void,
    pub xInit: Option<unsafe extern "C" fn(arg1: *mut c_void) -> c_int>,
    pub xShutdown: Option<unsafe extern "C" fn(arg1: *mut c_void)>,
    pub xCreate: Option<
        unsafe extern "C" fn(
            szPage: c_int,
            szExtra: c_int,
            bPurgeable: c_int,
        ) -> *mut sqlite3_pcache,
    >,
    pub xCachesize: Option<unsafe extern "C" fn(arg1: *mut sqlite3_pcache, nCachesize: c_int)>,
    pub xPagecount: Option<unsafe extern "C" fn(arg1: *mut sqlite3_pcache) -> c_int>,
    pub xFetch: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_pcache,
            key: c_uint,
            createFlag: c_int,
        ) -> *mut sqlite3_pcache_page,
    >,
    pub xUnpin: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_pcache,
            arg2: *mut sqlite3_pcache_page,
            discard: c_int,
        ),
    >,
    pub xRekey: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_pcache,
            arg2: *mut sqlite3_pcache_page,
            oldKey: c_uint,
            newKey: c_uint,
        ),
    >,
    pub xTruncate: Option<unsafe extern "C" fn(arg1: *mut sqlite3_pcache, iLimit: c_uint)>,
    pub xDestroy: Option<unsafe extern "C" fn(arg1: *mut sqlite3_pcache)>,
    pub xShrink: Option<unsafe extern "C" fn(arg1: *mut sqlite3_pcache)>,
}
unsafe extern "C" {
    #[link_name = "dotdo_sqlite3_sourceid"]
    pub fn sqlite3_sourceid() -> *const c_char;
    #[link_name = "dotdo_sqlite3_libversion_number"]
    pub fn sqlite3_libversion_number() -> c_int;
    #[link_name = "dotdo_sqlite3_compileoption_get"]
    pub fn sqlite3_compileoption_get(N: c_int) -> *const c_char;
    #[link_name = "dotdo_sqlite3_close"]
    pub fn sqlite3_close(arg1: *mut sqlite3) -> c_int;
    #[link_name = "dotdo_sqlite3_exec"]
    pub fn sqlite3_exec(
        arg1: *mut sqlite3,
        sql: *const c_char,
        callback: Option<
            unsafe extern "C" fn(
                arg1: *mut c_void,
                arg2: c_int,
                arg3: *mut *mut c_char,
                arg4: *mut *mut c_char,
            ) -> c_int,
        >,
        arg2: *mut c_void,
        errmsg: *mut *mut c_char,
    ) -> c_int;
    #[link_name = "dotdo_sqlite3_config"]
    pub fn sqlite3_config(arg1: c_int, ...) -> c_int;
    #[link_name = "dotdo_sqlite3_db_config"]
    pub fn sqlite3_db_config(arg1: *mut sqlite3, op: c_int, ...) -> c_int;
    #[link_name = "dotdo_sqlite3_free"]
    pub fn sqlite3_free(arg1: *mut c_void);
    #[link_name = "dotdo_sqlite3_set_authorizer"]
    pub fn sqlite3_set_authorizer(
        arg1: *mut sqlite3,
        xAuth: Option<
            unsafe extern "C" fn(
                arg1: *mut c_void,
                arg2: c_int,
                arg3: *const c_char,
                arg4: *const c_char,
                arg5: *const c_char,
                arg6: *const c_char,
            ) -> c_int,
        >,
        pUserData: *mut c_void,
    ) -> c_int;
    #[link_name = "dotdo_sqlite3_progress_handler"]
    pub fn sqlite3_progress_handler(
        arg1: *mut sqlite3,
        arg2: c_int,
        arg3: Option<unsafe extern "C" fn(arg1: *mut c_void) -> c_int>,
        arg4: *mut c_void,
    );
    #[link_name = "dotdo_sqlite3_open_v2"]
    pub fn sqlite3_open_v2(
        filename: *const c_char,
        ppDb: *mut *mut sqlite3,
        flags: c_int,
        zVfs: *const c_char,
    ) -> c_int;
    #[link_name = "dotdo_sqlite3_errmsg"]
    pub fn sqlite3_errmsg(arg1: *mut sqlite3) -> *const c_char;
    #[link_name = "dotdo_sqlite3_limit"]
    pub fn sqlite3_limit(arg1: *mut sqlite3, id: c_int, newVal: c_int) -> c_int;
    #[link_name = "dotdo_sqlite3_prepare_v3"]
    pub fn sqlite3_prepare_v3(
        db: *mut sqlite3,
        zSql: *const c_char,
        nByte: c_int,
        prepFlags: c_uint,
        ppStmt: *mut *mut sqlite3_stmt,
        pzTail: *mut *const c_char,
    ) -> c_int;
    #[link_name = "dotdo_sqlite3_stmt_readonly"]
    pub fn sqlite3_stmt_readonly(pStmt: *mut sqlite3_stmt) -> c_int;
    #[link_name = "dotdo_sqlite3_stmt_isexplain"]
    pub fn sqlite3_stmt_isexplain(pStmt: *mut sqlite3_stmt) -> c_int;
    #[link_name = "dotdo_sqlite3_bind_blob64"]
    pub fn sqlite3_bind_blob64(
        arg1: *mut sqlite3_stmt,
        arg2: c_int,
        arg3: *const c_void,
        arg4: sqlite3_uint64,
        arg5: Option<unsafe extern "C" fn(arg1: *mut c_void)>,
    ) -> c_int;
    #[link_name = "dotdo_sqlite3_bind_double"]
    pub fn sqlite3_bind_double(arg1: *mut sqlite3_stmt, arg2: c_int, arg3: f64) -> c_int;
    #[link_name = "dotdo_sqlite3_bind_int64"]
    pub fn sqlite3_bind_int64(arg1: *mut sqlite3_stmt, arg2: c_int, arg3: sqlite3_int64) -> c_int;
    #[link_name = "dotdo_sqlite3_bind_null"]
    pub fn sqlite3_bind_null(arg1: *mut sqlite3_stmt, arg2: c_int) -> c_int;
    #[link_name = "dotdo_sqlite3_bind_text64"]
    pub fn sqlite3_bind_text64(
        arg1: *mut sqlite3_stmt,
        arg2: c_int,
        arg3: *const c_char,
        arg4: sqlite3_uint64,
        arg5: Option<unsafe extern "C" fn(arg1: *mut c_void)>,
        encoding: c_uchar,
    ) -> c_int;
    #[link_name = "dotdo_sqlite3_bind_value"]
    pub fn sqlite3_bind_value(
        arg1: *mut sqlite3_stmt,
        arg2: c_int,
        arg3: *const sqlite3_value,
    ) -> c_int;
    #[link_name = "dotdo_sqlite3_bind_zeroblob"]
    pub fn sqlite3_bind_zeroblob(arg1: *mut sqlite3_stmt, arg2: c_int, n: c_int) -> c_int;
    #[link_name = "dotdo_sqlite3_bind_parameter_count"]
    pub fn sqlite3_bind_parameter_count(arg1: *mut sqlite3_stmt) -> c_int;
    #[link_name = "dotdo_sqlite3_clear_bindings"]
    pub fn sqlite3_clear_bindings(arg1: *mut sqlite3_stmt) -> c_int;
    #[link_name = "dotdo_sqlite3_column_count"]
    pub fn sqlite3_column_count(pStmt: *mut sqlite3_stmt) -> c_int;
    #[link_name = "dotdo_sqlite3_column_name"]
    pub fn sqlite3_column_name(arg1: *mut sqlite3_stmt, N: c_int) -> *const c_char;
    #[link_name = "dotdo_sqlite3_step"]
    pub fn sqlite3_step(arg1: *mut sqlite3_stmt) -> c_int;
    #[link_name = "dotdo_sqlite3_column_blob"]
    pub fn sqlite3_column_blob(arg1: *mut sqlite3_stmt, iCol: c_int) -> *const c_void;
    #[link_name = "dotdo_sqlite3_column_double"]
    pub fn sqlite3_column_double(arg1: *mut sqlite3_stmt, iCol: c_int) -> f64;
    #[link_name = "dotdo_sqlite3_column_int64"]
    pub fn sqlite3_column_int64(arg1: *mut sqlite3_stmt, iCol: c_int) -> sqlite3_int64;
    #[link_name = "dotdo_sqlite3_column_text"]
    pub fn sqlite3_column_text(arg1: *mut sqlite3_stmt, iCol: c_int) -> *const c_uchar;
    #[link_name = "dotdo_sqlite3_column_value"]
    pub fn sqlite3_column_value(arg1: *mut sqlite3_stmt, iCol: c_int) -> *mut sqlite3_value;
    #[link_name = "dotdo_sqlite3_column_bytes"]
    pub fn sqlite3_column_bytes(arg1: *mut sqlite3_stmt, iCol: c_int) -> c_int;
    #[link_name = "dotdo_sqlite3_column_type"]
    pub fn sqlite3_column_type(arg1: *mut sqlite3_stmt, iCol: c_int) -> c_int;
    #[link_name = "dotdo_sqlite3_finalize"]
    pub fn sqlite3_finalize(pStmt: *mut sqlite3_stmt) -> c_int;
    #[link_name = "dotdo_sqlite3_reset"]
    pub fn sqlite3_reset(pStmt: *mut sqlite3_stmt) -> c_int;
    #[link_name = "dotdo_sqlite3_create_function_v2"]
    pub fn sqlite3_create_function_v2(
        db: *mut sqlite3,
        zFunctionName: *const c_char,
        nArg: c_int,
        eTextRep: c_int,
        pApp: *mut c_void,
        xFunc: Option<
            unsafe extern "C" fn(
                arg1: *mut sqlite3_context,
                arg2: c_int,
                arg3: *mut *mut sqlite3_value,
            ),
        >,
        xStep: Option<
            unsafe extern "C" fn(
                arg1: *mut sqlite3_context,
                arg2: c_int,
                arg3: *mut *mut sqlite3_value,
            ),
        >,
        xFinal: Option<unsafe extern "C" fn(arg1: *mut sqlite3_context)>,
        xDestroy: Option<unsafe extern "C" fn(arg1: *mut c_void)>,
    ) -> c_int;
    #[link_name = "dotdo_sqlite3_value_blob"]
    pub fn sqlite3_value_blob(arg1: *mut sqlite3_value) -> *const c_void;
    #[link_name = "dotdo_sqlite3_value_double"]
    pub fn sqlite3_value_double(arg1: *mut sqlite3_value) -> f64;
    #[link_name = "dotdo_sqlite3_value_int64"]
    pub fn sqlite3_value_int64(arg1: *mut sqlite3_value) -> sqlite3_int64;
    #[link_name = "dotdo_sqlite3_value_text"]
    pub fn sqlite3_value_text(arg1: *mut sqlite3_value) -> *const c_uchar;
    #[link_name = "dotdo_sqlite3_value_bytes"]
    pub fn sqlite3_value_bytes(arg1: *mut sqlite3_value) -> c_int;
    #[link_name = "dotdo_sqlite3_value_type"]
    pub fn sqlite3_value_type(arg1: *mut sqlite3_value) -> c_int;
    #[link_name = "dotdo_sqlite3_value_numeric_type"]
    pub fn sqlite3_value_numeric_type(arg1: *mut sqlite3_value) -> c_int;
    #[link_name = "dotdo_sqlite3_user_data"]
    pub fn sqlite3_user_data(arg1: *mut sqlite3_context) -> *mut c_void;
    #[link_name = "dotdo_sqlite3_context_db_handle"]
    pub fn sqlite3_context_db_handle(arg1: *mut sqlite3_context) -> *mut sqlite3;
    #[link_name = "dotdo_sqlite3_result_blob64"]
    pub fn sqlite3_result_blob64(
        arg1: *mut sqlite3_context,
        arg2: *const c_void,
        arg3: sqlite3_uint64,
        arg4: Option<unsafe extern "C" fn(arg1: *mut c_void)>,
    );
    #[link_name = "dotdo_sqlite3_result_double"]
    pub fn sqlite3_result_double(arg1: *mut sqlite3_context, arg2: f64);
    #[link_name = "dotdo_sqlite3_result_error"]
    pub fn sqlite3_result_error(arg1: *mut sqlite3_context, arg2: *const c_char, arg3: c_int);
    #[link_name = "dotdo_sqlite3_result_error_toobig"]
    pub fn sqlite3_result_error_toobig(arg1: *mut sqlite3_context);
    #[link_name = "dotdo_sqlite3_result_error_nomem"]
    pub fn sqlite3_result_error_nomem(arg1: *mut sqlite3_context);
    #[link_name = "dotdo_sqlite3_result_error_code"]
    pub fn sqlite3_result_error_code(arg1: *mut sqlite3_context, arg2: c_int);
    #[link_name = "dotdo_sqlite3_result_int64"]
    pub fn sqlite3_result_int64(arg1: *mut sqlite3_context, arg2: sqlite3_int64);
    #[link_name = "dotdo_sqlite3_result_text64"]
    pub fn sqlite3_result_text64(
        arg1: *mut sqlite3_context,
        z: *const c_char,
        n: sqlite3_uint64,
        arg2: Option<unsafe extern "C" fn(arg1: *mut c_void)>,
        encoding: c_uchar,
    );
    #[link_name = "dotdo_sqlite3_result_value"]
    pub fn sqlite3_result_value(arg1: *mut sqlite3_context, arg2: *mut sqlite3_value);
    #[link_name = "dotdo_sqlite3_result_zeroblob"]
    pub fn sqlite3_result_zeroblob(arg1: *mut sqlite3_context, n: c_int);
    #[link_name = "dotdo_sqlite3_result_subtype"]
    pub fn sqlite3_result_subtype(arg1: *mut sqlite3_context, arg2: c_uint);
    #[link_name = "dotdo_sqlite3_get_autocommit"]
    pub fn sqlite3_get_autocommit(arg1: *mut sqlite3) -> c_int;
    #[link_name = "dotdo_sqlite3_txn_state"]
    pub fn sqlite3_txn_state(arg1: *mut sqlite3, zSchema: *const c_char) -> c_int;
    #[link_name = "dotdo_sqlite3_commit_hook"]
    pub fn sqlite3_commit_hook(
        arg1: *mut sqlite3,
        arg2: Option<unsafe extern "C" fn(arg1: *mut c_void) -> c_int>,
        arg3: *mut c_void,
    ) -> *mut c_void;
    #[link_name = "dotdo_sqlite3_db_release_memory"]
    pub fn sqlite3_db_release_memory(arg1: *mut sqlite3) -> c_int;
    #[link_name = "dotdo_sqlite3_db_status"]
    pub fn sqlite3_db_status(
        arg1: *mut sqlite3,
        op: c_int,
        pCur: *mut c_int,
        pHiwtr: *mut c_int,
        resetFlg: c_int,
    ) -> c_int;
    #[link_name = "dotdo_sqlite3_stmt_status"]
    pub fn sqlite3_stmt_status(arg1: *mut sqlite3_stmt, op: c_int, resetFlg: c_int) -> c_int;
    #[link_name = "dotdo_sqlite3_preupdate_hook"]
    pub fn sqlite3_preupdate_hook(
        db: *mut sqlite3,
        xPreUpdate: Option<
            unsafe extern "C" fn(
                pCtx: *mut c_void,
                db: *mut sqlite3,
                op: c_int,
                zDb: *const c_char,
                zName: *const c_char,
                iKey1: sqlite3_int64,
                iKey2: sqlite3_int64,
            ),
        >,
        arg1: *mut c_void,
    ) -> *mut c_void;
    #[link_name = "dotdo_sqlite3_preupdate_old"]
    pub fn sqlite3_preupdate_old(
        arg1: *mut sqlite3,
        arg2: c_int,
        arg3: *mut *mut sqlite3_value,
    ) -> c_int;
    #[link_name = "dotdo_sqlite3_preupdate_new"]
    pub fn sqlite3_preupdate_new(
        arg1: *mut sqlite3,
        arg2: c_int,
        arg3: *mut *mut sqlite3_value,
    ) -> c_int;
    #[link_name = "dotdo_sqlite3_serialize"]
    pub fn sqlite3_serialize(
        db: *mut sqlite3,
        zSchema: *const c_char,
        piSize: *mut sqlite3_int64,
        mFlags: c_uint,
    ) -> *mut c_uchar;
    #[link_name = "dotdo_sqlite3_deserialize"]
    pub fn sqlite3_deserialize(
        db: *mut sqlite3,
        zSchema: *const c_char,
        pData: *mut c_uchar,
        szDb: sqlite3_int64,
        szBuf: sqlite3_int64,
        mFlags: c_uint,
    ) -> c_int;
}
