# The module beside other modules: what it exports, what it never calls, and
# that it works loaded before or after those that carry a hiredis of their own.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Test::IM;

my $module = $Test::IM::MODULE;

SKIP: {
    skip 'the module is built in', 3 if !length $module;
    skip 'no nm (package binutils)', 3 if system('nm -V >/dev/null 2>&1');

    my @out = map { (split)[-1] } `nm -D --defined-only $module`;
    is_deeply([ sort grep { !/^__asan|^__odr_asan/ } @out ],
              [qw(ngx_module_names ngx_module_order ngx_modules)],
              'exports what nginx asks for and nothing else');

    my %never = map { $_ => 1 } qw(
        getaddrinfo gethostbyname gethostbyname_r connect poll ppoll select
        epoll_wait sleep usleep nanosleep recv recvfrom send sendto
        system popen fork setsockopt socket);
    my @in = map { s/@.*//r } map { (split)[-1] } `nm -D -u $module`;
    ok((grep { $_ eq 'ngx_palloc' } @in), 'imports are listed');
    is_deeply([ grep { $never{$_} } @in ], [], 'imports nothing that blocks');
    is_deeply([ grep { /^redis/ } @in ], [], 'carries its own hiredis');
}


my $dir = '/usr/lib/nginx/modules';
my @others = grep { -e } map { "$dir/$_" }
             qw(ngx_nchan_module.so ngx_http_lua_module.so);

SKIP: {
    skip 'neither nchan nor lua is installed (packages libnginx-mod-nchan,'
        . ' libnginx-mod-http-lua)', 1 if !@others;
    skip 'modules of the distribution do not fit this nginx', 1
        if $ENV{IM_NGINX};

    diag("not installed, left out: $_") for grep { !-e "$dir/$_" }
        qw(ngx_nchan_module.so ngx_http_lua_module.so);

    for my $where (qw(modules_before modules_after)) {
        my $t = Test::IM->new($where => \@others);
        my $refused = $t->conf_fails;
        is($refused, undef, "$where: configuration") or next;
        $t->start;

        my $conv = $t->say(ann => 'bob', "h\x{e9}llo")->conv_id;
        $t->say(bob => 'ann', "answer $_") for 1 .. 20;
        my $group = $t->group(ann => [qw(bob cid)]);
        $t->say_in(cid => $group, 'in the group');
        is($t->page($conv, page_size => 30)->[-1]{msg}, "h\x{e9}llo",
           "$where: a page");
        is($t->unread('ann'), 21, "$where: unread");
        is(scalar @{ $t->list('bob') }, 2, "$where: list");
        is($t->post('/im/conv/nosuch', {})->code, 'conv_not_found',
           "$where: a refusal");
        $t->done;
    }
}

done_testing;
